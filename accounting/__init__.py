"""From recorded events to bytes by category, phase and peak. Plain values; no torch, no screen."""
