"""Lets these tests share `piloted.py`, and gives them short folders for sockets."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import piloted
from piloted import Monitor, Piloted, monitor


@pytest.fixture(scope="session")
def autoload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for PYTHONPATH, of an observer whose agent is a simple one."""
    return piloted.observer(tmp_path_factory.mktemp("observer"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where programs have their sockets."""
    with piloted.short_folder() as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    yield
    piloted.close_all()


@pytest.fixture
def program(autoload: Path, folder: Path, tmp_path: Path) -> Piloted:
    """A program that waits for monitors in the folder."""
    started = Piloted("-I", CALLS=str(tmp_path / "calls"))
    started.connect(autoload, folder)
    return started


@pytest.fixture
def connected(program: Piloted, folder: Path) -> Callable[[], Monitor]:
    """Connects another monitor with the program."""
    return lambda: monitor(folder / f"{program.pid}.sock")


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], list[str]]:
    """What was called in the agent, without the pid."""

    def read() -> list[str]:
        return [line.partition(" ")[2] for line in (tmp_path / "calls").read_text().splitlines()]

    return read


@pytest.fixture
def nothing_else_there() -> Iterator[None]:
    """The observer finds only what the test makes, and not what hundreds of tests have left.

    It sights what it finds in every window.
    """
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """After the test PyTorch has no hook more than before it."""
    from watched import hooks_in, wait_until

    before = hooks_in()
    yield
    wait_until(lambda: hooks_in() == before)
