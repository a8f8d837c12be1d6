"""The trainer: a process of its own that trains and counts the bytes it uses."""
