"""What a link has sent to the screen, as a test waits for it."""

from __future__ import annotations

import asyncio

from vramtop.tui.programs.link import ProgramLink
from vramtop.tui.worker.link import Received

TIMEOUT_SECONDS = 30


class Heard:
    """The messages that a link has sent to the screen."""

    def __init__(self, link: ProgramLink) -> None:
        self.messages: list[Received] = []
        self._coming = link.messages()

    async def until(self, message: type[Received], /, **values: object) -> Received:
        """The next message of this type with these values."""

        async def first() -> Received:
            async for envelope in self._coming:
                self.messages.append(envelope.message)
                new = envelope.message
                if isinstance(new, message) and all(
                    getattr(new, name) == value for name, value in values.items()
                ):
                    return new
            raise AssertionError("it ended")

        return await asyncio.wait_for(first(), TIMEOUT_SECONDS)
