"""Training: config, trainer, checkpoints, and the process that trains."""
