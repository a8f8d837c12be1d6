"""The app on a scripted worker: what it hears, what it sends, what is on the screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
from made import BEGUN
from textual.app import App
from textual.pilot import Pilot
from vramtop.protocol.lesson.commands import Change
from vramtop.protocol.lesson.shelf import Kept
from vramtop.protocol.wire.envelope import Envelope, Stamp
from vramtop.protocol.wire.framing import ToWorker
from vramtop.tui.worker.link import Received


class Script:
    """A worker that notes what is asked of it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Received] = asyncio.Queue()
        self.sent: list[ToWorker] = []
        self.closed = False
        self.moves: list[str] = []
        self.restarts = 0
        self.kept: Kept | None = None

    async def start(self) -> Script:
        """How an app starts it."""
        return self

    async def messages(self) -> AsyncIterator[Envelope[Received]]:
        stamp = Stamp()
        while True:
            yield stamp.envelope(await self.queue.get())

    def send(self, command: ToWorker) -> None:
        self.sent.append(command)

    def move(self, device: str) -> None:
        self.moves.append(device)

    def restart(self) -> None:
        self.restarts += 1

    async def close(self) -> None:
        self.closed = True

    @property
    def changes(self) -> list[dict[str, object]]:
        return [
            {
                name: value
                for name, value in msgspec.structs.asdict(command).items()
                if name != "command" and value is not msgspec.UNSET
            }
            for command in self.sent
            if isinstance(command, Change)
        ]


async def begin(pilot: Pilot[int], *messages: Received) -> None:
    """Let the app hear these messages, or those of a training that has begun."""
    await pilot.pause()
    for message in messages or BEGUN:
        pilot.app.receive(message)  # type: ignore[attr-defined]
    await pilot.pause()


async def painted(pilot: Pilot[int], *messages: Received) -> str:
    """The screen once these messages are heard and every panel is painted."""
    for message in messages:
        pilot.app.receive(message)  # type: ignore[attr-defined]
    pilot.app.paint()  # type: ignore[attr-defined]
    await pilot.pause()
    return seen(pilot.app)


def seen(app: App[int]) -> str:
    """The screen as text."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line) for line in strips)
