"""The command line: one module for each command, `main(argv)` after absl's flags.

The scripts in apps/ and the console entry `ma-keras` (ma_keras.apps.command) run them.
"""
