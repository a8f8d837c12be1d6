"""What each monitor of a program hears, and who is let go."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from piloted import Monitor, Piloted, until
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
NOTE = "note = dict(type='missing', reason='no trace')"


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


def test_an_out_of_memory_that_was_not_read_gives_way_to_a_newer_one(
    program: Piloted, connected: Callable[[], Monitor]
) -> None:
    slow = connected()
    slow.watch()
    assert [type(slow.read()) for _ in range(2)] == [Observed, Progress]
    program.do(
        "denied = dict(type='out_of_memory', device='cuda:0', wanted=1, free=1, limit=1, "
        "device_free=1, device_total=1, reserved=1, requested=1, parameters=0, "
        "optimizer_state=0, gradients=0, line='x' * 20_000)",
        "for n in range(1, 301): connection.send(denied | {'count': n})",
        NOTE,
        "connection.send(note)",
    )
    until(lambda: program.do("len(connection._sent)") == "0")
    counts = []
    while hasattr(message := slow.read(), "count"):
        counts.append(message.count)
    assert counts[-1] == 300
    assert len(counts) < 20


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
    program.do("began = time.monotonic(); connection.end()")
    assert float(program.do("time.monotonic() - began")) < 10  # it may take 0.2


def test_what_is_not_sent_yet_is_sent_at_the_end(
    program: Piloted, connected: Callable[[], Monitor]
) -> None:
    watching = connected()
    watching.watch()
    assert [type(watching.read()) for _ in range(2)] == [Observed, Progress]
    assert program.end() == (0, "")
    assert watching.read().steps == 2
    assert isinstance(watching.read(), Ended)
