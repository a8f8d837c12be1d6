"""Attaching without a screen: how long it watches, what it writes, and how it leaves."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from said import OBSERVED, PROGRESS, training
from vramtop.protocol.observed.record import (
    Ended,
    FromObserver,
    Holder,
    Holders,
    Missing,
    Removed,
)
from vramtop.tui.headless import program_attach
from vramtop.tui.headless.program_attach import attach
from vramtop.tui.headless.program_output import ProgramOutput
from vramtop.tui.programs import inject
from vramtop.tui.programs.target import CannotAttach

Run = Callable[..., Awaitable[int]]


def frame(message: FromObserver) -> bytes:
    body = msgspec.json.encode(message)
    return len(body).to_bytes(4, "big") + body


class Observer:
    """Says what a test wants once somebody watches, and then nothing, or ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.says: list[FromObserver] = []
        self.ends = False
        self.left = asyncio.Event()
        self.heard = b""

    async def serve(self) -> asyncio.AbstractServer:
        return await asyncio.start_unix_server(self._talk, str(self.path))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(OBSERVED))
        self.heard = await reader.read(4096)
        for message in self.says:
            writer.write(frame(message))
        await writer.drain()
        if not self.ends:
            self.heard += await reader.read()
        self.left.set()
        writer.close()


@pytest.fixture
def observer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Observer:
    made = Observer(tmp_path / "s")

    def enter(pid: int) -> Path:
        assert pid == 4711
        return made.path

    monkeypatch.setattr(inject, "attach", enter)
    return made


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        assert signal.getsignal(number) == handler


async def watch(
    observer: Observer,
    form: Any = "json",
    *,
    steps: int | None = None,
    file: Path | None = None,
    aside: bool = False,
) -> int:
    output = ProgramOutput(form, None if file is None else str(file), aside=aside)
    async with await observer.serve():
        code = await asyncio.wait_for(attach(4711, steps, output, status=True), 30)
        await asyncio.wait_for(observer.left.wait(), 30)
    return code


async def test_it_leaves_after_so_many_watched_steps_with_all_of_their_devices(
    observer: Observer, capsys: pytest.CaptureFixture[str]
) -> None:
    observer.says = [
        PROGRESS, training(7, "cuda:0"), training(7, "cuda:1"), PROGRESS,
        training(8, "cuda:0"), training(8, "cuda:1"), PROGRESS,
    ]  # fmt: skip
    assert await watch(observer, steps=2) == 0
    assert b'"watch"' in observer.heard
    out, err = capsys.readouterr()
    assert [(each["device"], each["watched"]) for each in json.loads(out)] == [
        ("cuda:0", 24), ("cuda:1", 24),
    ]  # fmt: skip
    assert err == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_leaves_with_what_was_watched(
    observer: Observer, number: signal.Signals, tmp_path: Path
) -> None:
    observer.says = [training(), PROGRESS]
    file = tmp_path / "o.jsonl"

    async def interrupt() -> None:
        while not (file.exists() and file.read_text()):
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), number)

    interrupting = asyncio.create_task(interrupt())
    assert await watch(observer, "jsonl", file=file) == 0
    await interrupting
    assert json.loads(file.read_text())["kinds"][0]["kind"] == "training"


async def test_each_watched_step_is_a_line_and_the_table_goes_aside(
    observer: Observer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    observer.says = [PROGRESS, training(1), training(2), Ended()]
    observer.ends = True
    file = tmp_path / "o.jsonl"
    assert await watch(observer, "jsonl", file=file, aside=True) == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [each["pid"] for each in lines] == [4711, 4711]
    out, err = capsys.readouterr()
    assert out == ""
    assert "Parameters" in err
    assert err.endswith("vramtop: train.py has ended\n")


async def test_a_table_in_a_file_has_no_colours_and_no_blanks_at_its_ends(
    observer: Observer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    observer.says, observer.ends = [training(), Ended()], True
    assert await watch(observer, "table", file=tmp_path / "o") == 0
    lines = (tmp_path / "o").read_text().splitlines()
    assert lines[0].startswith("train.py")
    assert all(line == line.rstrip() and "\x1b" not in line for line in lines)
    assert "Parameters" not in "".join(capsys.readouterr())


async def test_what_was_watched_is_in_the_file_while_it_is_watched(
    observer: Observer, tmp_path: Path
) -> None:
    file = tmp_path / "o"
    file.write_text("of another run")
    observer.says = [PROGRESS, training(1, "cuda:0"), training(1, "cuda:1")]
    watching = asyncio.create_task(watch(observer, file=file))
    await asyncio.sleep(0)  # until the file is opened
    while not (told := json.loads(file.read_text())):
        assert not watching.done()
        await asyncio.sleep(0.01)
    assert [each["device"] for each in told] == ["cuda:0", "cuda:1"]
    assert file.read_text().count("high_water") == 2
    os.kill(os.getpid(), signal.SIGINT)
    assert await watching == 0
    assert json.loads(file.read_text()) == told
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["o"]


@pytest.mark.parametrize(
    ("says", "line"),
    [
        (
            (Ended(),),
            "train.py ended before a step of it was watched: "
            "it made no step, and no call without gradients, from beginning to end",
        ),
        ((Removed("a hook failed"),), "train.py: no step could be watched: a hook failed"),
        ((Missing("no account"), Ended()), "train.py: no step could be watched: no account"),
        ((training(), Removed("a hook failed")), "train.py is no longer watched: a hook failed"),
    ],
)
async def test_why_there_is_nothing_or_no_more_is_said_in_one_line(
    observer: Observer,
    says: tuple[FromObserver, ...],
    line: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    observer.says, observer.ends = list(says), True
    watched = any(message == training() for message in says)
    assert await watch(observer) == (0 if watched else 1)
    assert capsys.readouterr().err == f"vramtop: {line}\n"


async def test_a_process_that_cannot_be_entered_is_answered_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(pid: int) -> Path:
        raise CannotAttach(f"process {pid} is no Python program")

    monkeypatch.setattr(inject, "attach", refuse)
    output = ProgramOutput("table", None, aside=False)
    assert await attach(4711, None, output, status=True) == 1
    assert capsys.readouterr() == ("", "vramtop: process 4711 is no Python program\n")


async def test_it_leaves_once_nobody_reads_the_lines(
    observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    observer.says = [training(1), PROGRESS]
    with monkeypatch.context() as patch, os.fdopen(writing, "w") as closed:
        patch.setattr(sys, "stdout", closed)
        assert await watch(observer, "jsonl") == 0


async def test_a_terminal_shows_how_far_it_is_and_nothing_of_that_remains(
    observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    observer.says = [training(1), PROGRESS]
    assert await watch(observer, steps=1) == 0
    shown = terminal.getvalue().split("\r\x1b[K")
    assert shown[1] == "looking into process 4711"
    assert "train.py: 1,204 steps, 24 watched; ctrl-C leaves it, and s…" in shown
    assert max(map(len, shown)) < 60
    assert shown[-1] == ""


async def test_the_program_is_asked_once_who_holds_what_is_nobodys_and_has_time_to_answer(
    observer: Observer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program_attach, "_ANSWER_SECONDS", 30.0)
    asked = 4 << 20
    answer = Holders("cuda:0", (Holder(asked, "history in train.py"),))
    observer.says = [training(1), training(2), PROGRESS, answer, PROGRESS]
    assert await watch(observer, steps=2) == 0
    assert observer.heard.count(b'"who"') == 1
    assert str(asked).encode() in observer.heard
    (program,) = json.loads(capsys.readouterr().out)
    assert [each["what"] for each in program["other"]] == ["history in train.py"]
