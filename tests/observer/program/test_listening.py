"""How a program waits for monitors and calls the one that started it, and what it leaves alone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from piloted import Monitor, Piloted, monitor, until
from vramtop.protocol.observed.record import Observed, Progress


@pytest.fixture
def waiting(folder: Path) -> Iterator[socket.socket]:
    """The socket at `folder / "run"` of a monitor that starts a program and waits for its call."""
    folder.mkdir(0o700)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "run"))
        listening.listen()
        yield listening


def test_the_thread_is_none_that_the_program_can_see_and_takes_no_signals(
    program: Piloted, connected: Callable[[], Monitor]
) -> None:
    watching = connected()
    watching.watch()
    assert [type(watching.read()) for _ in range(2)] == [Observed, Progress]
    assert program.do("import threading, signal, os", "len(threading.enumerate())") == "1"
    assert program.do("signal.pthread_sigmask(signal.SIG_BLOCK, [])") == "set()"
    (mask,) = (
        line.split()[1]
        for task in Path(f"/proc/{program.pid}/task").iterdir()
        if task.name != str(program.pid)
        for line in (task / "status").read_text().splitlines()
        if line.startswith("SigBlk")
    )
    assert int(mask, 16) >> (signal.SIGINT - 1) & 1
    assert not int(mask, 16) >> (signal.SIGSEGV - 1) & 1


def test_a_forked_child_has_nothing_of_it(
    program: Piloted, connected: Callable[[], Monitor], folder: Path
) -> None:
    looking = connected()
    assert isinstance(looking.read(), Observed)
    program.do("import os; os.register_at_fork(after_in_child=connection.forget)")
    program.do("child = os.fork() or (connection.send({}), __import__('time').sleep(99))")
    child = int(program.do("child"))
    try:
        files = Path(f"/proc/{child}/fd")
        until(lambda: not any("socket" in str(link.readlink()) for link in files.iterdir()))
        assert monitor(folder / f"{program.pid}.sock").read().pid == program.pid
        program.process.kill()
        assert looking.read() is None  # though the child lives on
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_file_that_was_cleaned_away_comes_back(program: Piloted, folder: Path) -> None:
    until((folder / f"{program.pid}.sock").exists)
    shutil.rmtree(folder)
    program.do("connection.listen_again()")
    assert isinstance(monitor(folder / f"{program.pid}.sock").read(), Observed)


def test_it_calls_the_monitor_that_started_the_program(
    autoload: Path, folder: Path, waiting: socket.socket
) -> None:
    program = Piloted("-I")
    program.connect(autoload, folder, monitor=str(folder / "run"))
    link, _ = waiting.accept()
    waiting.close()
    assert Monitor(link).read().pid == program.pid
    assert program.end() == (0, "")


def test_a_program_waits_until_the_monitor_that_started_it_watches(
    autoload: Path, folder: Path, tmp_path: Path, waiting: socket.socket
) -> None:
    program = Piloted("-I", CALLS=str(tmp_path / "calls"))
    program.connect(autoload, folder, monitor=str(folder / "run"))
    program.do("import _thread, _vramtop_observer.program.connection as c; c.ANSWER_SECONDS = 60")
    program.do(
        "begun, done = [], []; wait = lambda: (begun.append(1), done.append(connection.wait()))"
    )
    program.do("_thread.start_new_thread(wait, ())")
    link, _ = waiting.accept()
    waiting.close()
    called = Monitor(link)
    assert isinstance(called.read(), Observed)
    until(lambda: program.do("begun") == "[1]")
    assert program.do("done") == "[]"
    called.watch()
    until(lambda: program.do("done") == "[None]")
    assert "join" in (tmp_path / "calls").read_text()


@pytest.mark.parametrize("answers", [True, False])
def test_a_program_waits_for_no_monitor_that_has_gone(
    autoload: Path, folder: Path, waiting: socket.socket, answers: bool
) -> None:
    if not answers:
        waiting.close()
    program = Piloted("-I")
    program.connect(autoload, folder, monitor=str(folder / "run"))
    program.do("import _vramtop_observer.program.connection as c; c.ANSWER_SECONDS = 60")
    if answers:
        waiting.accept()[0].close()
        waiting.close()
    program.do("import time; began = time.monotonic(); connection.wait()")
    assert float(program.do("time.monotonic() - began")) < 30
    assert program.end() == (0, "")


@pytest.mark.parametrize("prepare", ["mkdir -m 755", "ln -s /tmp", "touch"])
def test_a_folder_that_is_not_the_users_alone_is_refused(
    autoload: Path, folder: Path, prepare: str
) -> None:
    subprocess.run([*prepare.split(), str(folder)], check=True)
    program = Piloted("-I")
    program.connect(autoload, folder)
    until(lambda: program.do("connection.closed") == "True")
    assert program.end() == (0, "")


def test_a_path_that_is_too_long_for_a_socket_gives_way_to_the_default(
    autoload: Path, tmp_path: Path
) -> None:
    program = Piloted("-I")
    program.connect(autoload, tmp_path / ("long" * 30))
    default = Path(f"/tmp/vramtop-{os.geteuid()}")
    assert monitor(default / f"{program.pid}.sock").read().pid == program.pid
    assert program.end() == (0, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_is_not_let_in(
    program: Piloted, connected: Callable[[], Monitor], folder: Path
) -> None:
    assert isinstance(connected().read(), Observed)
    for place in (folder, folder.parent):
        place.chmod(0o755)
    (folder / f"{program.pid}.sock").chmod(0o777)
    asking = (
        "import os, socket; os.setuid(1234); link = socket.socket(socket.AF_UNIX);"
        f"link.connect('{folder}/{program.pid}.sock'); print(link.recv(9))"
    )
    done = subprocess.run(["/usr/bin/python3", "-c", asking], capture_output=True, check=True)
    assert done.stdout == b"b''\n"
