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
        return (await self.until_all((message, values)))[-1]

    async def until_all(self, *wanted: tuple[type[Received], dict[str, object]]) -> list[Received]:
        """The next messages until each of these types with its values has come, in any order."""
        missing = list(wanted)

        async def come() -> list[Received]:
            new: list[Received] = []
            async for envelope in self._coming:
                self.messages.append(envelope.message)
                new.append(envelope.message)
                missing[:] = [each for each in missing if not _fits(new[-1], *each)]
                if not missing:
                    return new
            raise AssertionError("it ended")

        return await asyncio.wait_for(come(), TIMEOUT_SECONDS)


def _fits(message: Received, kind: type[Received], values: dict[str, object]) -> bool:
    return isinstance(message, kind) and all(
        getattr(message, name) == value for name, value in values.items()
    )
