"""Flows as layers of tf_keras and of Keras 3."""
