"""The messages between a worker and whoever watches it, and their words. No torch, no screen."""
