"""Panels about GPUs and their processes."""
