"""Apps: one module for each command, `main(config)`, and what Python calls, of one configuration.

The scripts in apps/ and the console entry `ma-keras` (ma_keras.apps.command) run them.
"""
