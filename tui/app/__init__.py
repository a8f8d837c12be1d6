"""The running apps: one with a training, one with the GPUs alone."""
