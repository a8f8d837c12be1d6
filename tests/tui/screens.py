"""The monitor's screen after messages made by hand, for tests of how it looks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widget import Widget
from vramtop.protocol.commands import Pace
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.wire.envelope import Envelope
from vramtop.protocol.wire.framing import ToWorker
from vramtop.tui.app.config import Config
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.app.state_app import FULL, NO_CONFIG
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.terminal.palette import GLYPHS
from vramtop.tui.worker.link import Received

_MARGIN = " " + "".join(GLYPHS.values())


class Silent:
    """A worker that sends nothing and leaves no snapshot."""

    kept = None

    async def start(self) -> Silent:
        """How an app starts it."""
        return self

    async def messages(self) -> AsyncIterator[Envelope[Received]]:
        await asyncio.Event().wait()
        yield  # never reached; it makes this a generator

    def send(self, command: ToWorker) -> None:
        if not isinstance(command, Pace):
            raise AssertionError(f"nobody listens to {command}")

    async def close(self) -> None:
        pass


class Screen:
    """An app that has heard messages, and what its terminal shows."""

    def __init__(self, app: VramtopApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot

    async def hear(self, *messages: Received) -> None:
        for message in messages:
            self.app.receive(message)
        self.app.paint()
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    @property
    def lines(self) -> list[str]:
        """The lines as a viewer sees them: text in the colour of its background is invisible."""
        strips = self.app.screen._compositor.render_strips()
        return ["".join(_visible(segment) for segment in strip) for strip in strips]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def line(self, start: str) -> str:
        """The first line that begins with this, apart from margins and the glyph of a category."""
        lines = (line.strip(_MARGIN) for line in self.lines)
        return next(line for line in lines if line.startswith(start))

    def styles(self, text: str) -> list[Style]:
        """The styles at the beginnings of this text, as a word or words of their own."""
        strips = self.app.screen._compositor.render_strips()
        found = []
        for strip in strips:
            cells = [s.style for s in strip for _ in s.text]
            places = re.finditer(rf"(?<!\S){re.escape(text)}(?!\S)", strip.text)
            found += [style for place in places if (style := cells[place.start()])]
        assert found, f"no {text!r} in:\n{self.text}"
        return found


def assert_apart(panels: Iterable[Widget], screen: Region) -> list[Widget]:
    """Each panel that has room is within the screen and over no other; returns those."""
    parts = [part for part in panels if part.region.area]
    for index, part in enumerate(parts):
        assert screen.contains_region(part.region), part
        assert not [other for other in parts[:index] if part.region.overlaps(other.region)], part
    return parts


def _visible(segment: Segment) -> str:
    style = segment.style
    # The terminal's own text and background colours are both called default.
    hidden = style and style.color and style.color == style.bgcolor and not style.color.is_default
    return " " * len(segment.text) if hidden else segment.text


@asynccontextmanager
async def screen(
    width: int,
    height: int,
    *messages: Received,
    terminal: Terminal = FULL,
    config: Config = NO_CONFIG,
) -> AsyncIterator[Screen]:
    app = VramtopApp(Settings(), Silent().start, terminal=terminal, config=config)
    async with app.run_test(size=(width, height), notifications=True) as pilot:
        shown = Screen(app, pilot)
        await pilot.pause()
        await shown.hear(*messages)
        yield shown
