"""Panels about a training image."""
