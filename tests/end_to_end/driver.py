"""A training under test: asked for things by commands, and waited for by its messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from vramtop.protocol.lesson.commands import Change
from vramtop.protocol.lesson.messages import Configured, LessonMeasured
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.wire.envelope import Envelope
from vramtop.tui.worker.link import Link, Received
from vramtop.tui.worker.process import start_worker

TIMEOUT_SECONDS = 90
MIB = 2**20
_Message = TypeVar("_Message", bound=Received)


class Driver:
    """Sends commands over a link and waits for messages; `heard` has all of them so far."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.heard: list[Envelope[Received]] = []
        self._messages = link.messages()
        self._commands = 0

    def change(self, **values: Any) -> None:
        self._commands += 1
        self.link.send(Change(self._commands, **values))

    async def until(
        self, kind: type[_Message], condition: Callable[[_Message], object] = lambda _: True
    ) -> _Message:
        """The first message of this kind that meets the condition."""

        async def first() -> _Message:
            async for envelope in self._messages:
                self.heard.append(envelope)
                message = envelope.message
                if isinstance(message, kind) and condition(message):
                    return message
            raise AssertionError(f"the link ended without {kind.__name__}")

        return await asyncio.wait_for(first(), TIMEOUT_SECONDS)

    async def settled(self, **wanted: object) -> LessonMeasured:
        """The first settled step of settings with these values."""
        await self.until(
            Configured,
            lambda new: all(getattr(new.settings, n) == value for n, value in wanted.items()),
        )
        return await self.until(LessonMeasured, lambda measured: measured.settled)


@asynccontextmanager
async def driving(link: Link) -> AsyncIterator[Driver]:
    """A driver of this link, which is closed afterwards."""
    try:
        yield Driver(link)
    finally:
        await link.close()


@asynccontextmanager
async def training(device: str = "cuda:0", **settings: Any) -> AsyncIterator[Driver]:
    """A training in a worker process of its own."""
    async with driving(await start_worker(Settings(device=device, **settings))) as driver:
        yield driver


def unattributed(measured: LessonMeasured) -> dict[str, int]:
    """Bytes at each boundary that the allocator counts beyond the split and the workspace."""
    allocator = measured.allocator
    assert allocator is not None
    return {
        phase: reading.requested - allocator.workspace - measured.anatomy.boundaries[phase].total
        for phase, reading in allocator.boundaries.items()
    }
