"""The running apps: the lesson, a program that is watched, the GPUs alone."""
