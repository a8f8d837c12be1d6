"""Lets these tests share `terminal.py`, and keeps them from what the user has chosen.

pytest's importlib mode puts no folder on the path.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    """Where the monitors of a test keep what is chosen in them."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "vramtop" / "config.json"
