"""The monitor: the command line and the screen. Nothing in here imports torch."""
