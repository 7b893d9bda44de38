"""Model files, and SavedModels for bare TensorFlow."""
