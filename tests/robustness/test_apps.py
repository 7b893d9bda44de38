"""The apps: flags, files, run directories, disks."""

import fcntl
import os
import pathlib
import sys

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import potentials, training
from ma_keras.apps.exit_code import ExitCode
from ma_keras.files.replacing import replacing
from ma_keras.saving import model_file
from ma_keras.training import strategy
from tests.apps.test_training_app import end
from tests.integration import apps
from tests.robustness.row import Row

pytestmark = pytest.mark.slow

USAGE = ExitCode.USAGE
PARSING = ' `ma-keras train ising --help` lists the flags.'
LINES = {'side': '--side=4', 'epochs': '--epochs=2'}


def command(*words):
  return apps.run_command(pathlib.Path.cwd(), *words)


def ising(*flags):
  done = command('train', 'ising', '--side=2', '--num_steps=2', '--run_dir=run', *flags)
  assert not os.path.exists('run/flags.txt')  # Nothing was begun.
  return done


def lattice(*flags):
  return ising('--potential=lattice', '--channels=2', '--basis_size=2', *flags)


def density(*flags):
  return command('train', 'density', '--dataset=digits', '--run_dir=run', *flags)


def couplings(matrix):
  np.save('K.npy', matrix)
  return ising('--target=couplings', '--couplings_file=K.npy')


def words_for_couplings():
  pathlib.Path('K.csv').write_text('a,b\nc,d\n')
  return ising('--target=couplings', '--couplings_file=K.csv')


def saved(*terms):
  """small.npz, a sum of these potentials."""
  bijector = ma_keras.MongeAmpereBijector(potentials.Sum(list(terms)), 2, 0.1)
  model_file.save('small.npz', model_file.Model(bijector))


def starting_from(side=2, channels=2, flags=(), quadratic=True, times=1):
  """A lattice of side 2 that begins with another lattice's weights."""
  basis = potentials.TimeBasis(0.2, 2)
  terms = [potentials.Lattice(side, channels, basis) for _ in range(times)]
  saved(*terms, *([potentials.SpectralQuadratic(side, basis)] if quadratic else []))
  return lattice('--start_from=small.npz', *flags)


def of_cluster(name='parameter_server'):
  os.environ.pop('TF_CONFIG', None)
  strategy.make(name)


def compiled():
  servers = object.__new__(tf.distribute.ParameterServerStrategy)  # It would wait for its cluster.
  strategy.check_compiled(servers, 'parameter_server', jit_compile=True)


def prepared(lines=LINES, app='density', **hashes):
  """A run directory that begins, or goes on."""
  training.RunDirectory(pathlib.Path('run')).prepare(lines, ('side',), (), app, hashes)


def of_another_model():
  prepared()
  prepared({**LINES, 'side': '--side=8'})


def of_another_app():
  prepared()
  prepared(app='ising')


def of_other_data():
  lines = {**LINES, 'dataset_file': '--dataset_file=points.csv'}
  prepared(lines, dataset_file='0a')
  prepared(lines, dataset_file='0b')


def owned():
  prepared()
  training.RunDirectory(pathlib.Path('run')).release()
  with open('run/lock') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    prepared()


def damaged(name):
  prepared()
  pathlib.Path('run/metrics.csv').write_text('epoch,loss\n0,1\n1,2\n')
  pathlib.Path('run', name).write_bytes(bytes(range(256)) * 3 + b'\n')
  prepared()


def damaged_row():
  prepared()
  pathlib.Path('run/metrics.csv').write_text('epoch,loss\n0,1\n1,one\n')
  prepared()


def damaged_best():
  bijector = ma_keras.MongeAmpereBijector(potentials.OneHiddenLayer(4, 3), 2, 0.1)
  model = training.MaximumLikelihood(bijector, batch_size=4)
  best = training.BestWeights(model, pathlib.Path('best'), 'val_nll')
  best.on_epoch_end(0, {'val_nll': 3.0})
  pathlib.Path('best/checkpoint').write_bytes(bytes(range(256)))
  best.restore()


def on_the_way():
  pathlib.Path('file').write_text('')
  return ising('--run_dir=file/run')


def no_room():
  done = command('sample', '--model=ising_l8', f'--n={10**12}', '--output=x.npy')
  assert os.listdir() == []
  return done


def to_what_is_no_file(name):
  os.mkdir('folder')
  os.mkfifo('pipe')
  with replacing(pathlib.Path(name)):
    pass


def over_a_thesis():
  os.mkdir('folder')
  pathlib.Path('folder/thesis.tex').write_text('')
  done = command('export', '--model=ising_l8', '--output=folder')
  assert os.listdir('folder') == ['thesis.tex']
  return done


def ended(error):
  """A training app whose work ends in an error."""
  return apps.call(end_in, error, folder=pathlib.Path.cwd())


def end_in(error):
  sys.argv = ['ma-keras train ising']
  end((None, error))


ROWS = [
  Row(
    'a number that is too small, or none',
    lambda flag: ising(flag),
    USAGE,
    'ma-keras train ising: flag {}: ...' + PARSING,
    ('--num_steps=0', '--num_steps=many', '--num_steps=2.5', '--side=1', '--step_size=-0.1'),
  ),
  Row(
    '`--integrator`, `--gradient`, `--strategy`, ... of no such name',
    lambda flag: ising(flag),
    USAGE,
    'ma-keras train ising: flag {}: value should be one of <...>.' + PARSING,
    ('--integrator=rk5', '--gradient=forget', '--boundary=twisted', '--strategy=gpu'),
  ),
  Row(
    'a flag that is misspelt',
    lambda: ising('--sise=4'),
    USAGE,
    'ma-keras train ising: no flag --sise; did you mean --side?' + PARSING,
  ),
  Row(
    'a flag that is gone',
    lambda flag: ising(flag),
    USAGE,
    'ma-keras train ising: ...stiffness_weight is gone: write --penalty=stiffness:0.3 instead.',
    ('--stiffness_weight=0.3', '--stiffness_weight'),
  ),
  Row(
    'a flag that is missing',
    lambda: command('score', '--model=ising_l8'),
    USAGE,
    'ma-keras score: --input is missing. `ma-keras score --help` lists the flags.',
  ),
  Row(
    'a command that is misspelt',
    lambda: command('scroe'),
    USAGE,
    "command: no command 'scroe'; did you mean score? `ma-keras` lists the commands.",
  ),
  Row(
    '`--flagfile` missing',
    lambda: ising('--flagfile=none.flags'),
    USAGE,
    "ma-keras train ising: ... No such file or directory: 'none.flags'..." + PARSING,
  ),
  Row(
    'a flag without dashes',
    lambda: ising('side=4'),
    USAGE,
    "ma-keras train ising: unknown arguments ['side=4']: flags start with --; --help lists them.",
  ),
  Row(
    'numbers that are not finite',
    lambda flag: ising(flag),
    USAGE,
    'ma-keras train ising: `--...` must be finite, got ....',
    ('--step_size=nan', '--learning_rate=inf', '--coupling=nan', '--force_weight=inf'),
  ),
  Row(
    '`--couplings_file` not symmetric',
    lambda: couplings([[0.0, 1.0], [0.5, 0.0]]),
    USAGE,
    'ma-keras train ising: `couplings` must be symmetric and without diagonal, got ... Pass K + '
    'K.T if every pair stands once, ...',
  ),
  Row(
    '`--target=couplings` without it',
    lambda: ising('--target=couplings'),
    USAGE,
    'ma-keras train ising: `--target=couplings` needs --couplings_file=K.npy, a symmetric matrix.',
  ),
  Row(
    '`--couplings_file` without that',
    lambda: ising('--couplings_file=K.npy'),
    USAGE,
    'ma-keras train ising: `--couplings_file` needs --target=couplings, got --target=ising.',
  ),
  Row(
    '`--couplings_file` of no file',
    lambda: ising('--target=couplings', '--couplings_file=none.npy'),
    USAGE,
    'ma-keras train ising: `path` none.npy cannot be read: ...',
  ),
  Row(
    '`--couplings_file` of no numbers',
    words_for_couplings,
    USAGE,
    'ma-keras train ising: `path` K.csv has columns that are no numbers, ...',
  ),
  Row(
    '`--target=phi4` with the Gaussian start',
    lambda: ising('--target=phi4'),
    USAGE,
    'ma-keras train ising: `--start=gaussian` needs the Gaussian factor that --target=phi4 has '
    'not: use --start=random, or --potential=lattice.',
  ),
  Row(
    '`--hidden_units=3` with the Gaussian start',
    lambda: ising('--hidden_units=3'),
    USAGE,
    "ma-keras train ising: A Gaussian start needs `activation='log_cosh'` and `hidden_units` >= "
    '2 N = 8, ...',
  ),
  Row(
    'a gradient mode without the stiffness that `--penalty` asks for',
    lambda flag: ising('--penalty=stiffness:0.1', flag),
    USAGE,
    "ma-keras train ising: `gradient='adjoint'` takes tallies that are an Integral, and "
    "['stiffness'] are not: use gradient='store' or 'recompute', or leave them out.",
    ('--gradient=adjoint',),
  ),
  Row(
    'an integrator of that kind',
    lambda flag: ising('--penalty=stiffness:0.1', flag),
    USAGE,
    "ma-keras train ising: `integrator` 'gauss4' has no stages to tell its stiffness by: use "
    "integrator='rk4' with gradient='store' or 'recompute', or leave the penalty out.",
    ('--integrator=gauss4',),
  ),
  Row(
    '`--accumulate=5 --batch_size=16`',
    lambda: ising('--accumulate=5', '--batch_size=16'),
    USAGE,
    'ma-keras train ising: `--accumulate` 5 with all replicas makes 5 parts, which do not divide '
    '--batch_size=16: choose one that they do.',
  ),
  Row(
    '`--optimizer=soap` for a large model',
    lambda: ising('--optimizer=soap', '--hidden_units=2000'),
    USAGE,
    "ma-keras train ising: `optimizer` 'soap' keeps matrices of P x P for P <= 8000 parameters, "
    "got 10000: use 'adam'.",
  ),
  Row(
    '`--potential=lattice` on open boundaries',
    lambda: lattice('--boundary=open'),
    USAGE,
    'ma-keras train ising: `--potential=lattice` lives on a torus, got --boundary=open and '
    '--target=ising: use --potential=hidden_layer.',
  ),
  Row(
    '`--kernel_reach` or `--quadratic_reach` above half the side',
    lambda name: lattice(f'--{name}=9'),
    USAGE,
    'ma-keras train ising: `--{}`: `reach` must be an integer from 0 to L // 2 = 1, got 9; None: '
    'all.',
    ('kernel_reach', 'quadratic_reach'),
  ),
  Row(
    '`--force_weight` of a lattice potential with `--jit_compile`',
    lambda: lattice('--force_weight=0.1', '--jit_compile'),
    USAGE,
    'ma-keras train ising: `--force_weight=0.1` has second derivatives of the flow, which XLA '
    'cannot compile for --potential=lattice: use --nojit_compile.',
  ),
  Row(
    '`--start_from` with a hidden layer',
    lambda: ising('--start_from=model.npz'),
    USAGE,
    'ma-keras train ising: `--start_from` needs --potential=lattice: dense kernels know one size '
    'only.',
  ),
  Row(
    '`--start_from` missing or damaged',
    lambda: lattice('--start_from=none.npz'),
    USAGE,
    'ma-keras train ising: `--start_from`: `path` none.npz is no model file of ma_keras, or is '
    'damaged (...): ...',
  ),
  Row(
    '`--start_from` of a larger lattice',
    lambda: starting_from(side=4),
    USAGE,
    'ma-keras train ising: `--start_from` small.npz, its Lattice: `smaller` must be at most of '
    'side 2, got 4.',
  ),
  Row(
    '`--start_from` with kernels that go farther than `--kernel_reach`',
    lambda: starting_from(flags=['--kernel_reach=0']),
    USAGE,
    'ma-keras train ising: `--start_from` small.npz, its Lattice: `smaller` has kernels beyond the '
    '`reach` of 0 here: take a larger one.',
  ),
  Row(
    '`--start_from` of other channels or another basis',
    lambda: starting_from(channels=3),
    USAGE,
    'ma-keras train ising: `--start_from` small.npz, its Lattice: `smaller` must have variables of '
    'shapes [(2,), (2, 2)], got [(3,), (2, 3)]: build both with the same channels, units and '
    'context_size, and this one with as many functions of time, or more.',
  ),
  Row(
    '`--start_from` of another horizon',
    lambda: starting_from(flags=['--step_size=0.01']),
    USAGE,
    'ma-keras train ising: `--start_from` small.npz, its Lattice: `smaller` must be constant in '
    'time, or vary by the polynomials of this one, ...: keep T = num_steps * step_size.',
  ),
  Row(
    '`--start_from` of two potentials of one kind',
    lambda: starting_from(times=2),
    USAGE,
    'ma-keras train ising: `--start_from` small.npz holds Lattice, Lattice, SpectralQuadratic: it '
    'must be of --potential=lattice, which has one term of a kind, and a SpectralQuadratic.',
  ),
  Row(
    '`--start_from` of another potential',
    lambda: starting_from(quadratic=False),
    USAGE,
    'ma-keras train ising: `--start_from` small.npz holds Lattice: it must be of '
    '--potential=lattice, which has one term of a kind, and a SpectralQuadratic.',
  ),
  Row(
    '`--train=new_terms` where the file of `--start_from` has all terms',
    lambda: starting_from(flags=['--train=new_terms']),
    USAGE,
    'ma-keras train ising: `--train=new_terms` with --start_from=small.npz, which has all terms of '
    'these flags: ask for one more, or train all.',
  ),
  Row(
    '`--train=new_terms` without `--start_from`',
    lambda: ising('--train=new_terms'),
    USAGE,
    'ma-keras train ising: `--train=new_terms` trains those that the file of --start_from has not: '
    'pass that, or leave out --train.',
  ),
  Row(
    '`--beside` of no run',
    lambda: ising('--beside=nowhere'),
    USAGE,
    'ma-keras train ising: `--beside` nowhere is no run of this app (...): pass the --run_dir of '
    'one.',
  ),
  Row(
    'a potential of nothing',
    lambda: density('--hidden_units=0'),
    USAGE,
    'ma-keras train density: ... potential is empty...',
  ),
  Row(
    '`--local` that is no patch,stride,units',
    lambda value: density(f'--local={value}'),
    USAGE,
    'ma-keras train density: ... must be patch,stride,units, got ...',
    ('8,4',),
  ),
  Row(
    '`--local` of a stride that does not fit',
    lambda: density('--local=8,3,1'),
    USAGE,
    'ma-keras train density: `stride` must divide ...',
  ),
  Row(
    'B larger than the data',
    lambda: density('--batch_size=5000'),
    USAGE,
    'ma-keras train density: `batch_size` must be at most the number of training points, 1199, '
    'and positive, got 5000.',
  ),
  Row(
    'parameter servers without a cluster in TF_CONFIG',
    of_cluster,
    ValueError,
    "`strategy='parameter_server'` needs a chief, workers and ps, but TF_CONFIG has no ['chief', "
    "'worker', 'ps']: set it to ...",
  ),
  Row(
    'parameter servers with `--jit_compile`',
    compiled,
    ValueError,
    '--jit_compile needs the variables on the device that computes, and they are on parameter '
    'servers: pass --nojit_compile, or --strategy=multi_worker.',
  ),
  Row(
    'parameter servers with `--deterministic`',
    lambda: ising('--strategy=parameter_server', '--deterministic'),
    USAGE,
    'ma-keras train ising: ... parameter servers are asynchronous: ...',
  ),
  Row(
    'another process of the cluster is killed',
    lambda: ended(tf.errors.UnavailableError(None, None, 'gone')),
    ExitCode.NO_ROOM,
    'ma-keras train ising: another process of the cluster is gone: start all of them again with '
    'the commands they had, and they go on from the last checkpoint.',
  ),
  Row(
    '`--run_dir` of another model',
    of_another_model,
    ValueError,
    '`--run_dir` run holds a run of another model; changed: --side=8. Choose another --run_dir, or '
    'use the flags of run/flags.txt.',
  ),
  Row(
    '`--run_dir` of another app',
    of_another_app,
    ValueError,
    '`--run_dir` run holds a run of `train density`, not of `train ising`: choose another '
    '--run_dir.',
  ),
  Row(
    'other content of `--dataset_file`, `--couplings_file`, `--start_from`, or of a set of that '
    'name',
    of_other_data,
    ValueError,
    '--dataset_file=points.csv is not what the run in run began with: its content has changed. '
    'Put the old one back, or choose another --run_dir.',
  ),
  Row(
    '`--run_dir` at which another process is at work (exit code 4)',
    owned,
    training.Owned,
    '`--run_dir` run belongs to process ... on ..., which is at work: wait for its end, or choose '
    'another --run_dir',
  ),
  Row(
    'a damaged `flags.txt` or `run.json`',
    damaged,
    ValueError,
    'run/{} is damaged...: put back a copy, or choose another --run_dir...',
    ('flags.txt', 'run.json'),
  ),
  Row(
    'a damaged `metrics.csv`',
    damaged_row,
    ValueError,
    'run/metrics.csv, line 3, is damaged: put back a copy, or choose another --run_dir; or delete '
    'it, if it is no header.',
  ),
  Row(
    'a damaged `best` (exit code 3)',
    damaged_best,
    training.TrainingStopped,
    'The best weights in best are damaged (...): put back a copy of that folder, or delete it, ...',
  ),
  Row(
    '`--run_dir` read-only, in a read-only folder, or a file',
    on_the_way,
    USAGE,
    'ma-keras train ising: `--run_dir` file/run cannot be written to (Not a directory): choose '
    'another.',
  ),
  Row(
    'a full disk, in any app',
    no_room,
    ExitCode.NO_ROOM,
    'ma-keras sample: no room, or no access: [Errno 28] 256000000000... bytes are needed and ... '
    'are free: ...',
  ),
  Row(
    '`--output` of a folder, a pipe, a device',
    to_what_is_no_file,
    ValueError,
    '`path` ...{} is a folder, a pipe or a device: name a file.',
    ('folder', 'pipe', '/dev/null'),
  ),
  Row(
    '`--output` of a folder that holds something else',
    over_a_thesis,
    USAGE,
    'ma-keras export: `path` folder holds thesis.tex, which would be lost: name another folder.',
  ),
  Row(
    'more pictures than fit into one, or samples that are none, to a `.png`',
    lambda: command('sample', '--model=ising_l8', '--output=x.png'),
    USAGE,
    'ma-keras sample: `--output` x.png takes up to 400 pictures, got --n=... of shape [64]: use a '
    '.npy or .csv.',
  ),
  Row(
    'Ctrl-C',
    lambda: ended(KeyboardInterrupt()),
    ExitCode.INTERRUPTED,
    'ma-keras train ising: interrupted; 0 epochs are saved in run: the same command goes on from '
    'there.',
  ),
]


@pytest.mark.parametrize('row', ROWS, ids=str)
def test_an_app(row):
  row.check()
