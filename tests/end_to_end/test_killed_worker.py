"""A worker that is killed, as the kernel does where there is no more memory."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from recorded_monitor import SESSION
from vramtop.protocol.lesson.messages import LessonSample
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.wire.framing import FromWorker
from vramtop.tui.headless import fit, sweep
from vramtop.tui.headless.run import follow
from vramtop.tui.worker import process
from vramtop.tui.worker.process import Worker
from vramtop.tui.worker.sweep_plan import Plan, Trial


def killing(when: Callable[[FromWorker], bool]) -> Any:
    """As `follow`, but the worker is killed once it says this."""

    async def followed(worker: Worker) -> AsyncIterator[FromWorker]:
        async for message in follow(worker):
            yield message
            if when(message):
                os.kill(worker.pid, signal.SIGKILL)

    return followed


async def test_a_sweep_names_the_size_and_goes_on_with_the_others(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def trial(size: int, steps: int) -> Trial:
        return Trial(Settings(batch_size=size, device="cpu"), steps, None)

    trials = (trial(64, 3), trial(128, 10**6), trial(256, 3), trial(128, 10**6))
    kill = killing(lambda said: isinstance(said, LessonSample) and said.batch_size == 128)
    monkeypatch.setattr(sweep, "follow", kill)
    assert await sweep.sweep(Plan(trials, 1, "usual"), "json", None) == 0
    printed = capfd.readouterr()
    before, killed, after = json.loads(printed.out)
    assert [before["batch_size"], before["steps"]] == [64, 3]
    assert killed == {
        "batch_size": 128, "oom": True, "needed": None, "budget": None, "killed": True
    }  # fmt: skip
    assert [after["batch_size"], after["steps"]] == [256, 3]
    text = "the worker was killed (SIGKILL) with batch 128, probably for lack of memory"
    assert printed.err == f"vramtop: {text}\n"


SEARCHES_UNTIL_KILLED = """
import os, pathlib, signal, socket, sys
from vramtop.protocol.lesson.commands import FindLargest
from vramtop.protocol.lesson.messages import Configured, Trying
from vramtop.protocol.messages import Hello
from vramtop.protocol.wire.envelope import Stamp
from vramtop.protocol.wire.framing import encode, to_worker
from vramtop.protocol.wire.recording import Reader
connection = socket.socket(fileno=int(sys.argv[sys.argv.index("--socket") + 1]))
said = [each.message for each in Reader(pathlib.Path(sys.argv[-1]))]
for kind in (Hello, Configured):
    message = next(each for each in said if isinstance(each, kind))
    connection.sendall(encode(Stamp().envelope(message)))
decoder, asked = to_worker(), []
while not any(isinstance(command, FindLargest) for command in asked):
    asked += decoder.feed(connection.recv(65_536))
for size in (1, 6_000):
    connection.sendall(encode(Stamp().envelope(Trying(size))))
os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_a_search_names_the_size_that_it_tried(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def command(_: str, *arguments: str) -> list[str]:
        return [sys.executable, "-c", SEARCHES_UNTIL_KILLED, *arguments, str(SESSION)]

    monkeypatch.setattr(process, "command", command)
    assert await fit.fit(Settings(device="cpu", hidden=8, budget=2**30), "json") == 1
    text = "the worker was killed (SIGKILL) with batch 6,000, probably for lack of memory"
    assert capfd.readouterr().err == f"vramtop: {text}\n"
