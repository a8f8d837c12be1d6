"""Arithmetic on what an observer recorded: whose bytes, the peak, tensors. No torch, no screen."""
