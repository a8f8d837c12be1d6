"""A program's observer that says what a test lets it say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from msgspec.structs import replace
from recorded_program import ENTRIES
from vramtop.protocol.observed.record import FromObserver, Observed

OBSERVED = next(each.said for each in ENTRIES if isinstance(each.said, Observed))


class ScriptedViewer:
    """A viewer of a program that says what a test lets it say."""

    def __init__(self, rank: int | None = None, *, pid: int = 2**22 - 1) -> None:
        world = None if rank is None else 2
        self.observed = replace(OBSERVED, pid=pid, rank=rank, world_size=world)
        self.said: asyncio.Queue[FromObserver | None] = asyncio.Queue()
        self.watching = self.closed = False
        self.asked: list[tuple[str, tuple[int, ...]]] = []
        self.was_asked = asyncio.Event()

    def watch(self) -> None:
        self.watching = True

    def ask_who(self, device: str, addresses: tuple[int, ...]) -> None:
        self.asked.append((device, addresses))
        self.was_asked.set()

    async def messages(self) -> AsyncIterator[FromObserver]:
        while (message := await self.said.get()) is not None:
            yield message

    async def close(self) -> None:
        self.closed = True
