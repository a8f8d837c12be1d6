"""gdb is tried on a program of our own before it touches that of another."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from piloted import monitor, until
from vramtop.protocol.observed.record import Observed
from vramtop.tui.programs import gdb, inject
from vramtop.tui.programs.target import CannotAttach

pytestmark = [
    pytest.mark.skipif(shutil.which("gdb") is None, reason="needs gdb"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="needs an x86-64 processor"),
]
# What gdb 13 says on a processor with AMX.
REFUSES = 'echo "Couldn\'t write extended state status: Bad address."'
COMPUTES = """
import torch
generator = torch.Generator().manual_seed(1)
weights = torch.randn(256, 256, generator=generator)
sums = {float((weights @ weights).sum())}
print("ready", file=said, flush=True)
while True:
    sums.add(float((weights @ weights).sum()))
    print(len(sums), file=said, flush=True)
"""


@pytest.fixture
def instead_of_gdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a shell script in gdb's place; returns the file in which it notes its arguments."""

    def put(script: str) -> Path:
        script = script.replace("GDB", str(shutil.which("gdb")))
        folder = tmp_path / "bin"
        folder.mkdir()
        calls = tmp_path / "calls"
        (folder / "gdb").write_text(f'#!/bin/sh\necho "$@" >> {calls}\n{script}\n')
        (folder / "gdb").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return calls

    return put


def test_one_that_writes_every_register_may_call_wherever_the_main_thread_is(
    instead_of_gdb: Callable[[str], Path],
) -> None:
    calls = instead_of_gdb("true")
    with gdb.tried() as tried:
        assert tried.places == (gdb.Where.ANYWHERE, gdb.Where.LETTING_GO)
    (call,) = calls.read_text().splitlines()
    assert "-p" not in call.split()  # of no process but its own


def test_one_that_cannot_write_them_calls_only_where_a_function_begins_and_disturbs_nothing(
    run: Callable[[str], int],
    observer: Path,
    tmp_path: Path,
    instead_of_gdb: Callable[[str], Path],
) -> None:
    calls = instead_of_gdb(f'case "$*" in *tdesc*) exec GDB "$@";; esac\n{REFUSES}')
    pid = run(COMPUTES)
    assert isinstance(monitor(inject.attach(pid, observer)).read(), Observed)
    refused, tried, entered = calls.read_text().splitlines()
    assert "tdesc" not in refused
    assert "starti" in tried
    assert "break" in entered
    assert str(pid) in entered
    lines = (tmp_path / "said").read_text().count("\n")
    until(lambda: (tmp_path / "said").read_text().count("\n") > lines + 100)
    assert set((tmp_path / "said").read_text().splitlines()[:-1]) == {"ready", "1"}


def test_one_that_cannot_at_all_touches_nothing_and_the_remedy_is_told(
    run: Callable[[str], int],
    observer: Path,
    instead_of_gdb: Callable[[str], Path],
) -> None:
    calls = instead_of_gdb(REFUSES)
    pid = run(COMPUTES)
    with pytest.raises(CannotAttach, match="update gdb, or start the program with: vramtop run"):
        inject.attach(pid, observer)
    assert str(pid) not in calls.read_text()
    assert len(calls.read_text().splitlines()) == 2
