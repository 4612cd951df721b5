"""Training: configuration, trainer, checkpoints and the worker process."""
