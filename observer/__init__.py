"""Records what a PyTorch program allocates, from inside its process.

It imports nothing but the standard library and torch, and hands over plain values.
"""
