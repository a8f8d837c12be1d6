"""The monitor's end: what it reads of programs that are observed, and what it makes of others."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from piloted import Piloted, until
from vramtop.protocol.observed.record import VERSION, Ended, Holder, Holders, Progress
from vramtop.tui.programs import sockets, viewer
from vramtop.tui.programs.viewer import CannotView, Viewer, connect

GREETING = {
    "type": "observed", "version": VERSION, "pid": 7, "host": "here", "program": "train.py",
    "arguments": ["train.py"], "python": "3.12.1", "torch": "2.9.0", "since_start": True,
}  # fmt: skip


@pytest.fixture
def program(observer: Path, folder: Path) -> Piloted:
    started = Piloted("-I")
    started.connect(observer / "program" / "autoload", folder)
    until((folder / f"{started.pid}.sock").exists)
    return started


async def test_a_program_is_watched_from_its_greeting_to_its_end(
    program: Piloted, folder: Path
) -> None:
    watching = await connect(folder / f"{program.pid}.sock")
    assert watching.observed.pid == program.pid
    messages = watching.messages()
    watching.watch()
    assert isinstance(await anext(messages), Progress)
    watching.ask_who("cpu", (3, 2**40))
    assert await anext(messages) == Holders("cpu", (Holder(3, "cpu"), Holder(2**40, "cpu")))
    assert program.end() == (0, "")
    assert [type(message) async for message in messages] == [Progress, Ended]
    await watching.close()


async def test_where_nobody_listens_that_is_reported(folder: Path) -> None:
    with pytest.raises(CannotView, match=r"s/7\.sock: No such file or directory"):
        await connect(folder / "7.sock")


class Scripted:
    """A program that says what a test lets it say."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(0o700, exist_ok=True)
        self.path = path
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(path))
        self.listening.listen()
        self.links: list[socket.socket] = []

    async def viewer(self, *frames: bytes) -> Viewer:
        connecting = asyncio.create_task(connect(self.path))
        link, _ = await asyncio.to_thread(self.listening.accept)
        self.links.append(link)
        link.sendall(b"".join(frames))
        return await connecting

    def close(self) -> None:
        for each in (self.listening, *self.links):
            each.close()


def frame(message: object) -> bytes:
    body = json.dumps(message).encode()
    return len(body).to_bytes(4, "big") + body


@pytest.fixture
def scripted(folder: Path) -> Iterator[Scripted]:
    program = Scripted(folder / "7.sock")
    yield program
    program.close()


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (frame({**GREETING, "version": 99, "new": 1}), "process 7 is observed by another vramtop"),
        (frame({**GREETING, "new": 1}), "in an unknown way: Object contains unknown field `new`"),
        (frame({"type": "progress"}), "in an unknown way: Invalid value 'progress'"),
        (b"\0\0\0\x04nope", "in an unknown way: JSON is malformed"),
        (b"HTTP/1.1 200 OK", "a program sent a message of 1,213,486,160 bytes"),
    ],
)
async def test_what_is_no_observer_of_this_version_is_reported(
    scripted: Scripted, first: bytes, why: str
) -> None:
    with pytest.raises(CannotView) as raised:
        await scripted.viewer(first)
    assert why in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


async def test_a_program_that_says_nothing_is_reported(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewer, "GREETING_SECONDS", 0.1)
    with pytest.raises(CannotView, match="does not say who it is"):
        await scripted.viewer()


async def test_a_program_that_nobody_waits_for_any_more_is_let_go(scripted: Scripted) -> None:
    connecting = asyncio.create_task(connect(scripted.path))
    link, _ = await asyncio.to_thread(scripted.listening.accept)
    scripted.links.append(link)
    await asyncio.sleep(0)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert await asyncio.wait_for(asyncio.to_thread(link.recv, 1), 10) == b""


async def test_each_message_is_read_strictly(scripted: Scripted) -> None:
    wrong = {"type": "progress", "steps": "1"}
    watching = await scripted.viewer(frame(GREETING), frame({"type": "ended"}), frame(wrong))
    messages: AsyncIterator[object] = watching.messages()
    assert await anext(messages) == Ended()
    with pytest.raises(CannotView, match=r"process 7 said: Expected `int \| null`, got `str`"):
        await anext(messages)
    await watching.close()


# ---- which programs there are -------------------------------------------------------------------


def test_only_sockets_that_answer_are_listed_and_the_others_removed(
    program: Piloted, folder: Path
) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(folder / "4194305.sock"))
    left.close()
    assert sockets.observed() == {program.pid: folder / f"{program.pid}.sock"}
    assert [path.name for path in folder.iterdir()] == [f"{program.pid}.sock"]


def test_programs_that_work_with_pytorch_are_listed_whether_they_are_observed_or_not(
    program: Piloted, run: Callable[[str], int], folder: Path
) -> None:
    pid = run("print('ready', file=said, flush=True)\n__import__('time').sleep(99)")
    found = {each.pid: each for each in sockets.programs()}
    assert found[pid].socket is None
    assert "-c" in found[pid].command
    assert found[program.pid].socket == folder / f"{program.pid}.sock"


def test_the_observer_and_the_monitor_meet_in_the_same_folder(observer: Path) -> None:
    code = (
        "import _vramtop_autoload; _vramtop_autoload.load();"
        "from _vramtop_observer.program import listening; print(listening.default_folder())"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code],
        check=True, capture_output=True, text=True,
        env={"PYTHONPATH": str(observer / "program" / "autoload")},
    )  # fmt: skip
    assert printed.stdout.strip() == sockets.folder(environment={})
