"""Random keys and sizes of the terminal: the screen listens to the end."""

from __future__ import annotations

import importlib.util
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "random_keys.py"


def test_after_random_keys_and_sizes_it_still_ends_at_q():
    spec = importlib.util.spec_from_file_location("random_keys", BENCHMARK)
    random_keys = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(random_keys)
    assert random_keys.run(7, 300) == ("ended", "")
