"""Panels about one recorded step."""
