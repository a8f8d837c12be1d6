"""The recorded session of a real program, and the report of its last watched step."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from vramtop.accounting.program.report import report
from vramtop.protocol.messages import Measured
from vramtop.protocol.observed.record import WatchedStep
from vramtop.tui.programs.started import Started
from vramtop.tui.worker.link import Received, Watched

_TOOL = Path(__file__).parents[2] / "tools" / "program_session.py"
_spec = importlib.util.spec_from_file_location("program_session", _TOOL)
assert _spec is not None
assert _spec.loader is not None
program_session = sys.modules["program_session"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(program_session)

ENTRIES = program_session.read(program_session.SESSION)
STEPS = [entry.said for entry in ENTRIES if isinstance(entry.said, WatchedStep)]
REPORT = report(STEPS[-1], 0)
MESSAGES: list[Received] = list(program_session.shown(ENTRIES, started=False))
LAST = next(each for each in reversed(MESSAGES) if isinstance(each, Measured))
WATCHED = next(each for each in reversed(MESSAGES) if isinstance(each, Watched))


class Running(Started):
    """A command that was started, as far as anybody can see."""

    def __init__(self) -> None:
        super().__init__(["python", "train.py"], (80, 24))
        self.sent: list[int] = []

    async def start(self) -> Running:
        return self

    def end(self, number: int = 15) -> None:
        self.asked = True
        self.sent.append(number)

    async def close(self) -> None:
        self.asked = True
