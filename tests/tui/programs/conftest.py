"""Lets these tests share what the observer's tests drive: a program, and a simple agent in it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "observer" / "program"))

import piloted


@pytest.fixture(scope="session")
def observer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an observer whose agent is a simple one."""
    return piloted.observer(tmp_path_factory.mktemp("observer")).parents[1]


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where all programs of a test have their sockets."""
    with piloted.short_folder() as made:
        monkeypatch.setenv("VRAMTOP_SOCKETS", str(made))
        yield made


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    yield
    piloted.close_all()


@pytest.fixture(scope="module")
def with_torch() -> Iterator[piloted.Piloted]:
    """A program that has imported torch and nothing else, of which others are forked."""
    program = piloted.Piloted(**os.environ)
    piloted.opened.remove(program)
    program.do("import os, sys, torch")
    yield program
    program.close()


@pytest.fixture
def run(with_torch: piloted.Piloted, tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Runs Python in a process of its own, where torch is imported; returns its pid.

    It has a file `said`, into which it writes.
    """
    pids = []

    def start(code: str) -> int:
        (tmp_path / "code.py").write_text(f"said = open({str(tmp_path / 'said')!r}, 'w')\n{code}")
        names = f"{{'__name__': '__main__', '__file__': {str(tmp_path / 'code.py')!r}}}"
        with_torch.do(
            f"pid = os.fork() or exec(open({str(tmp_path / 'code.py')!r}).read(), {names})"
        )
        pids.append(int(with_torch.do("pid")))
        piloted.until(lambda: (tmp_path / "said").exists() and (tmp_path / "said").read_text())
        return pids[-1]

    yield start
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        with_torch.do(f"os.waitpid({pid}, 0)")
