"""The report of a watched step, from what an observer recorded of any PyTorch program."""
