"""The thread that connects a program with monitors: what it says, and what it leaves alone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from piloted import Monitor, Piloted, monitor, until
from vramtop.protocol.observed.record import (
    VERSION,
    Ended,
    Holder,
    Holders,
    Observed,
    Progress,
    Removed,
)

STEP = (
    "step = lambda n, size: dict(type='watched_step', number=n, device='cuda:0', kind='training', "
    "source='trace', cut=0, seconds=0.1, inputs=[], marks=[], blocks=[[1, 2]] * size, "
    "events=dict(addresses=[], sizes=[], lines=[], modules=[]), "
    "sightings=[], names=[], lines=[], modules=[])"
)
NOTE = (
    "note = dict(type='out_of_memory', device='cuda:0', wanted=1, free=1, reserved=1, requested=1, "
    "parameters=0, optimizer_state=0, gradients=0, line='')"
)


@pytest.fixture
def program(autoload: Path, folder: Path, tmp_path: Path) -> Piloted:
    started = Piloted("-I", CALLS=str(tmp_path / "calls"))
    started.connect(autoload, folder)
    return started


@pytest.fixture
def connected(program: Piloted, folder: Path) -> Callable[[], Monitor]:
    return lambda: monitor(folder / f"{program.pid}.sock")


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], list[str]]:
    """What was called in the agent, without the pid."""

    def read() -> list[str]:
        return [line.partition(" ")[2] for line in (tmp_path / "calls").read_text().splitlines()]

    return read


def test_each_monitor_is_greeted_and_the_agent_watches_for_the_first_until_the_last(
    program: Piloted, connected: Callable[[], Monitor], calls: Callable[[], list[str]]
) -> None:
    first, second = connected(), connected()
    for each in (first, second):
        greeting = each.read()
        assert isinstance(greeting, Observed)
        assert (greeting.version, greeting.pid) == (VERSION, program.pid)
    assert calls() == ["made True"]
    first.watch()
    assert isinstance(first.read(), Progress)
    second.watch()
    second.say(type="who", device="cpu", addresses=[3])
    assert second.read() == Holders("cpu", (Holder(3, "cpu"),))
    program.do(NOTE, "connection.send(note)")
    assert isinstance(first.read(), Holders)
    assert first.read() == second.read()
    first.link.close()
    second.link.close()
    until(lambda: "leave" in calls())
    assert calls() == ["made True", "join", "leave"]
    third = connected()
    third.watch()
    assert [type(third.read()) for _ in range(2)] == [Observed, Progress]


def test_who_only_looks_gets_no_messages_but_the_last(
    program: Piloted, connected: Callable[[], Monitor]
) -> None:
    looking, watching = connected(), connected()
    watching.watch()
    assert [type(watching.read()) for _ in range(2)] == [Observed, Progress]
    program.do("connection.end()")
    assert [type(looking.read()) for _ in range(2)] == [Observed, Ended]
    assert looking.read() is None


def test_who_comes_later_gets_the_latest_step_of_each_kind_at_once(
    program: Piloted, connected: Callable[[], Monitor]
) -> None:
    first, second = connected(), connected()
    first.watch()
    assert [type(first.read()) for _ in range(2)] == [Observed, Progress]
    program.do(STEP, "for n in (1, 2): connection.send(step(n, 1))")
    program.do(STEP, "connection.send(dict(step(3, 1), kind='inference'))")
    while first.read().number < 3:
        pass
    second.watch()
    assert isinstance(second.read(), Observed)
    assert [second.read().number, second.read().number] == [2, 3]


def test_a_step_that_was_not_read_gives_way_to_a_newer_one(
    program: Piloted, connected: Callable[[], Monitor]
) -> None:
    slow = connected()
    slow.watch()
    assert [type(slow.read()) for _ in range(2)] == [Observed, Progress]
    program.do(STEP, "for n in range(50): connection.send(step(n, 20_000))")
    program.do(NOTE, "connection.send(note)")
    until(lambda: program.do("len(connection._sent)") == "0")
    numbers = []
    while hasattr(message := slow.read(), "number"):
        numbers.append(message.number)
    assert numbers[-1] == 49
    assert len(numbers) < 9


def test_a_monitor_that_reads_nothing_is_let_go_and_the_others_are_not(
    program: Piloted, connected: Callable[[], Monitor]
) -> None:
    stuck, other = connected(), connected()
    stuck.watch()
    assert [type(stuck.read()) for _ in range(2)] == [Observed, Progress]
    other.watch()
    other.say(type="who", device="cpu", addresses=[])
    assert [type(other.read()) for _ in range(2)] == [Observed, Holders]
    program.do(STEP, "connection.send(step(1, 100_000))", NOTE)
    assert other.read().number == 1
    for _ in range(30):
        program.do("for _ in range(10): connection.send(note)")
        for _ in range(10):
            other.read()
    try:
        while stuck.link.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    other.say(type="who", device="cpu", addresses=[])
    assert other.read() == Holders("cpu", ())


@pytest.mark.parametrize(
    "frame",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        b"\0\0\0\x02no",
        b"\0\0\0\x021,",
        b"\0\0\0\x02[]",
        b"\0\0\0\x10" + b'{"type":"other"}',
        b"\0\0\0\x1e" + b'{"type":"watch","version":999}',
        b"\0\0\0\x10" + b'{"type":"watch"}',
        b"\0\0\0\x2e" + b'{"type":"who","device":"cpu","addresses":["1"]}'[:46],
    ],
)
def test_rubbish_and_another_version_are_let_go(
    connected: Callable[[], Monitor], frame: bytes, calls: Callable[[], list[str]]
) -> None:
    wrong = connected()
    assert isinstance(wrong.read(), Observed)
    wrong.link.sendall(frame)
    if frame.startswith(b"\0\0\0\x2e"):
        wrong.link.shutdown(socket.SHUT_WR)
    assert wrong.read() is None
    right = connected()
    right.watch()
    assert [type(right.read()) for _ in range(2)] == [Observed, Progress]
    assert calls() == ["made True", "join"]


def test_an_error_of_the_observers_removes_it_and_the_program_goes_on(
    program: Piloted,
    connected: Callable[[], Monitor],
    calls: Callable[[], list[str]],
    folder: Path,
) -> None:
    asking, other = connected(), connected()
    other.watch()
    assert [type(other.read()) for _ in range(2)] == [Observed, Progress]
    asking.say(type="who", device="broken", addresses=[])
    for each in (asking, other):
        told = [each.read()]
        while told[-1] is not None:
            told.append(each.read())
        assert told[-2] == Removed("ZeroDivisionError: a mistake of the observer's")
    until(lambda: not list(folder.iterdir()))
    until(lambda: calls()[-1] == "leave")
    assert program.do(NOTE, "connection.send(note)") == "None"
    assert program.do("connection.closed") == "True"


def test_an_agent_that_removes_itself_ends_the_connection(
    program: Piloted, connected: Callable[[], Monitor], folder: Path
) -> None:
    looking = connected()
    assert isinstance(looking.read(), Observed)
    program.do("connection.send(dict(type='removed', reason='a hook failed'))")
    assert looking.read() == Removed("a hook failed")
    assert looking.read() is None
    until(lambda: not list(folder.iterdir()))


def test_the_end_of_the_program_is_told_and_leaves_no_file(
    program: Piloted, connected: Callable[[], Monitor], folder: Path
) -> None:
    looking = connected()
    assert isinstance(looking.read(), Observed)
    assert program.end() == (0, "")
    assert isinstance(looking.read(), Ended)
    assert looking.read() is None
    assert not list(folder.iterdir())


def test_a_monitor_that_is_stuck_does_not_hold_up_the_programs_end(
    program: Piloted, connected: Callable[[], Monitor]
) -> None:
    stuck = connected()
    stuck.watch()
    assert [type(stuck.read()) for _ in range(2)] == [Observed, Progress]
    program.do(STEP, "connection.send(step(1, 100_000))", "import time, atexit")
    program.do("import _vramtop_observer.program.connection as c; c.LAST_SECONDS")
    program.do("began = time.monotonic(); connection.end()")
    assert float(program.do("time.monotonic() - began")) < 1


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


def test_it_calls_the_monitor_that_started_the_program(autoload: Path, folder: Path) -> None:
    folder.mkdir(0o700)
    waiting = socket.socket(socket.AF_UNIX)
    waiting.bind(str(folder / "run"))
    waiting.listen()
    program = Piloted("-I")
    program.connect(autoload, folder, monitor=str(folder / "run"))
    link, _ = waiting.accept()
    waiting.close()
    assert Monitor(link).read().pid == program.pid
    assert program.end() == (0, "")


def test_a_program_waits_until_the_monitor_that_started_it_watches(
    autoload: Path, folder: Path, tmp_path: Path
) -> None:
    folder.mkdir(0o700)
    waiting = socket.socket(socket.AF_UNIX)
    waiting.bind(str(folder / "run"))
    waiting.listen()
    program = Piloted("-I", CALLS=str(tmp_path / "calls"))
    program.connect(autoload, folder, monitor=str(folder / "run"))
    program.do("import _thread, _vramtop_observer.program.connection as c; c.ANSWER_SECONDS = 60")
    program.do("done = []; _thread.start_new_thread(lambda: done.append(connection.wait()), ())")
    link, _ = waiting.accept()
    waiting.close()
    called = Monitor(link)
    assert isinstance(called.read(), Observed)
    assert program.do("done") == "[]"
    called.watch()
    until(lambda: program.do("done") == "[None]")
    assert "join" in (tmp_path / "calls").read_text()


@pytest.mark.parametrize("answers", [True, False])
def test_a_program_waits_for_no_monitor_that_has_gone(
    autoload: Path, folder: Path, answers: bool
) -> None:
    folder.mkdir(0o700)
    waiting = socket.socket(socket.AF_UNIX)
    waiting.bind(str(folder / "run"))
    waiting.listen()
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


def test_what_is_not_sent_yet_is_sent_at_the_end(
    program: Piloted, connected: Callable[[], Monitor]
) -> None:
    watching = connected()
    watching.watch()
    assert [type(watching.read()) for _ in range(2)] == [Observed, Progress]
    assert program.end() == (0, "")
    assert watching.read().steps == 2
    assert isinstance(watching.read(), Ended)


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
