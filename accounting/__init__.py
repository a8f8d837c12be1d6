"""Turns an observer's records into bytes by category, peaks and tensors. No torch, no screen."""
