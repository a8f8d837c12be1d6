"""The screen of a program once it has heard a recorded session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from recorded_program import MESSAGES
from scripted import painted
from textual.pilot import Pilot
from vramtop.tui.app.program_app import ProgramApp
from vramtop.tui.programs.link import ProgramLink
from vramtop.tui.programs.shown import Shown

SIZES = [(80, 24), (120, 40), (200, 60)]


class Looking(ProgramLink):
    """A link that looks into nothing."""

    async def start(self) -> Looking:
        return self

    def ended(self, shown: Shown, reason: str) -> None:
        raise AssertionError(f"nothing was shown that could end: {shown} {reason}")


@asynccontextmanager
async def program(
    size: tuple[int, int] = (120, 40), link: ProgramLink | None = None
) -> AsyncIterator[Pilot[int]]:
    """The app once it has heard the recorded session."""
    async with ProgramApp(link or Looking()).run_test(size=size) as pilot:
        await pilot.pause()
        await painted(pilot, *MESSAGES)
        yield pilot
