"""Lets these tests share `piloted.py`, and gives them short folders for sockets."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import piloted


@pytest.fixture(scope="session")
def autoload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for PYTHONPATH, of an observer whose agent is a simple one."""
    return piloted.observer(tmp_path_factory.mktemp("observer"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that is not there yet, with a path that is short enough for sockets."""
    made = Path(tempfile.mkdtemp(prefix="vt", dir="/tmp"))
    yield made / "s"
    shutil.rmtree(made)


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    yield
    while piloted.opened:
        piloted.opened.pop().close()
