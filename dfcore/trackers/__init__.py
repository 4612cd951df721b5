"""Trackers that people have: MLflow and TensorBoard."""
