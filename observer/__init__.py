"""Records what a PyTorch program allocates, from inside its process.

It imports only the standard library and torch, and returns plain values.
"""
