"""See ma_keras/apps/figure1.py, which this runs."""

from ma_keras.apps import command

if __name__ == '__main__':
  command.run('figure1')
