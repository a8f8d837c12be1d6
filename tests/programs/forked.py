"""Runs programs in children of a process that has imported torch, and reads what was observed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import msgspec
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.record import FromObserver, WatchedStep
from vramtop.protocol.observed.report import StepReport

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

    def latest(self, kind: str = "training", device: str | None = None) -> WatchedStep:
        """The last watched step of a kind."""
        fitting = [
            step for step in self.steps if step.kind == kind and device in (None, step.device)
        ]
        assert fitting, [message for message in self.messages if message not in self.steps]
        return fitting[-1]

    def report(self, kind: str = "training", device: str | None = None) -> StepReport:
        return report(self.latest(kind, device), 1)


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
        told = json.loads(result.read_text())
        messages = [
            msgspec.json.decode(json.dumps(message), type=FromObserver)
            for message in told["messages"]
        ]
        return Observed(messages, told["counted"], told["said"])

    def __enter__(self) -> Forks:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()


def assert_as_counted(observed: Observed, device: str) -> None:
    """Each boundary has the bytes that the program counted, and no byte is nobody's."""
    kinds = {step.kind for step in observed.steps}
    assert kinds
    for kind in kinds:
        step, report = observed.latest(kind, device), observed.report(kind, device)
        counted = observed.counted.get(step.optimizer) or observed.counted[kind]
        split = {
            phase: {category: getattr(report.boundaries[phase], category) for category in bytes_of}
            for phase, bytes_of in counted.items()
        }
        assert split == counted
        assert report.unattributed == (None if device == "cpu" else 0)
