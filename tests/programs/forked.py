"""Runs programs in children of a process that has imported torch, and reads what was observed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.record import FromObserver, WatchedStep

SERVER = Path(__file__).with_name("fork_server.py")
Counted = dict[str, dict[str, int]]


class Observed(NamedTuple):
    """What an observer sent of a program, and what the program counted of itself.

    `counted` has bytes by category and phase, under the kind of step or, where a program has
    several optimizers, under the class of the one whose steps they are. `said` is what the program
    had to say beyond that.
    """

    messages: list[FromObserver]
    counted: dict[str, Counted]
    said: dict[str, object]

    @property
    def steps(self) -> list[WatchedStep]:
        return [message for message in self.messages if isinstance(message, WatchedStep)]

    def latest(self, device: str) -> dict[str, WatchedStep]:
        """The latest watched steps on a device, under the names that `counted` has for them."""
        return {
            step.optimizer if step.optimizer in self.counted else step.kind: step
            for step in self.steps
            if step.device == device
        }


class Forks:
    """A process in this environment that forks a child for each program."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, program: str, device: str) -> Observed:
        """Run a program to its end. An error in it is an AssertionError here."""
        self._number += 1
        result = self._folder / f"{self._number}.json"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"program": program, "device": device, "result": str(result)}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        ended = self._process.stdout.readline().strip()
        assert ended == "0", f"{ended}: {result.with_suffix('.err').read_text()}"
        written = json.loads(result.read_text())
        messages = [
            msgspec.json.decode(json.dumps(message), type=FromObserver)
            for message in written["messages"]
        ]
        return Observed(messages, written["counted"], written["said"])

    def close(self) -> None:
        """Let it end."""
        self._process.communicate()


def assert_as_counted(observed: Observed, device: str) -> None:
    """Each boundary has the bytes that the program counted, and no byte is nobody's."""
    latest = observed.latest(device)
    assert latest.keys() & observed.counted.keys(), observed.messages
    for name, step in latest.items():
        reported = report(step, 1)
        splits = {"high_water": reported.high_water, **reported.boundaries}
        counted = observed.counted.get(name, {})
        split = {
            phase: {category: getattr(splits[phase], category) for category in bytes_of}
            for phase, bytes_of in counted.items()
        }
        assert split == counted
        assert reported.unattributed == (None if device == "cpu" else 0)
