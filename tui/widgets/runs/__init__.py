"""Panels about the training so far and the batch sizes tried."""
