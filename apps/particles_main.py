"""See ma_keras/apps/particles.py, which this runs."""

from ma_keras.apps import command

if __name__ == '__main__':
  command.run('particles')
