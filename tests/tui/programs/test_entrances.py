"""Which processes can be looked into, as the list of the GPUs' processes tells it."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from piloted import Piloted, until
from vramtop.tui.programs import entrances, sockets
from vramtop.tui.programs.entrances import ANOTHERS, NO_TORCH, Entrances

SLEEPS = "print('ready', file=said, flush=True)\n__import__('time').sleep(99)"


@pytest.fixture(autouse=True)
def _with_gdb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/gdb")


def born(pid: int) -> float:
    return float(psutil.Process(pid).create_time())


def test_a_process_with_pytorch_can_be_looked_into(run: Callable[[str], int]) -> None:
    pid = run(SLEEPS)
    assert Entrances()(pid, born(pid)) == ("possible", None)


def test_a_process_without_pytorch_cannot_be() -> None:
    program = Piloted()
    assert Entrances()(program.pid, born(program.pid)) == ("impossible", NO_TORCH)


def test_a_process_that_is_observed_says_so_as_long_as_it_is(observer: Path, folder: Path) -> None:
    program = Piloted("-I")
    look, start = Entrances(), born(program.pid)
    assert look(program.pid, start) == ("impossible", NO_TORCH)
    program.connect(observer / "program" / "autoload", folder)
    until((folder / f"{program.pid}.sock").exists)
    assert look(program.pid, start) == ("observed", None)
    (folder / f"{program.pid}.sock").unlink()
    assert look(program.pid, start) == ("impossible", NO_TORCH)


def test_nobody_is_asked(folder: Path) -> None:
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / f"{os.getpid()}.sock"))
        listening.listen()
        assert Entrances()(os.getpid(), born(os.getpid())) == ("observed", None)
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_the_socket_of_an_earlier_process_of_this_pid_does_not_count(folder: Path) -> None:
    folder.mkdir()
    path, start = folder / f"{os.getpid()}.sock", born(os.getpid())
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        os.utime(path, (start - 60, start - 60))
        assert Entrances()(os.getpid(), start)[0] != "observed"


def test_another_users_process_cannot_be_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Piloted()
    user = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert Entrances()(program.pid, born(program.pid)) == ("impossible", ANOTHERS)


def test_a_process_is_looked_at_once_and_one_without_pytorch_again_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks, answers = [], [False, True]

    def has_torch(pid: int) -> bool:
        looks.append(pid)
        return answers[len(looks) - 1]

    monkeypatch.setattr(sockets, "has_torch", has_torch)
    look, pid = Entrances(), os.getpid()
    for _ in range(3):
        assert look(pid, born(pid)) == ("impossible", NO_TORCH)
    assert looks == [pid]
    monkeypatch.setattr(entrances, "_AGAIN_SECONDS", 0.0)
    for _ in range(3):
        assert look(pid, born(pid)) == ("possible", None)
    assert looks == [pid, pid]


def test_another_process_of_the_same_pid_is_looked_at_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look, pid = Entrances(), os.getpid()
    monkeypatch.setattr(sockets, "has_torch", lambda _: True)
    assert look(pid, 1.0) == ("possible", None)
    monkeypatch.setattr(sockets, "has_torch", lambda _: False)
    assert look(pid, 1.0) == ("possible", None)
    assert look(pid, 2.0) == ("impossible", NO_TORCH)


def test_a_process_that_has_just_ended_cannot_be_looked_into() -> None:
    assert Entrances()(2**22 + 1, 1.0)[0] == "impossible"


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python lets one in itself")
def test_without_gdb_it_is_missing(
    run: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    pid = run(SLEEPS)
    assert Entrances()(pid, born(pid)) == ("impossible", "needs gdb")


def test_a_system_that_forbids_tracing_is_the_reason(
    run: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entrances, "forbidding_scope", lambda: "1")
    pid = run(SLEEPS)
    assert Entrances()(pid, born(pid)) == ("impossible", "ptrace_scope is 1")
