"""What was observed of a program, beside what the program counted itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import msgspec
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.record import FromObserver, WatchedStep
from vramtop.protocol.split import ALL_CATEGORIES, Category

Counted = dict[str, dict[str, int]]

# The categories whose bytes belong to modules.
OF_MODULES: tuple[Category, ...] = ("parameters", "gradients", "optimizer_state", "activations")


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


def read(result: Path) -> Observed:
    """What `child.py` wrote."""
    written = json.loads(result.read_text())
    messages = [
        msgspec.json.decode(json.dumps(message), type=FromObserver)
        for message in written["messages"]
    ]
    return Observed(messages, written["counted"], written["said"])


def assert_as_counted(observed: Observed, device: str) -> None:
    """Each boundary has the bytes that the program counted, and no byte is nobody's.

    The program's lines have all bytes of each category, and its modules those of theirs.
    """
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
        for category in ALL_CATEGORIES:
            of_lines = sum(line.split.of(category) for line in reported.lines)
            assert of_lines == reported.high_water.of(category)
        for category in OF_MODULES:
            of_modules = sum(getattr(layer, category) for layer in reported.layers)
            assert of_modules == reported.high_water.of(category)
        assert reported.unattributed == (None if device == "cpu" else 0)
