"""The running apps: with a training, and with the GPUs alone."""
