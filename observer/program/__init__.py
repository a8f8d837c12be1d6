"""Watches a program that is not ours, from inside its process, without changing what it computes.

It imports nothing but the standard library and torch, and sends plain dictionaries. What they mean
stands in `protocol/observed/record.py`.
"""
