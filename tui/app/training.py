"""The worker of the app, from its start to its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from vramtop.protocol.lesson.shelf import Kept
from vramtop.protocol.wire.envelope import Envelope
from vramtop.tui.worker.commands import Commands
from vramtop.tui.worker.link import Link, Received


class Training:
    """Starts the worker with `start`, passes its messages on, and closes it.

    `commands` are None before it has started.
    """

    def __init__(self, start: Callable[[], Awaitable[Link]]) -> None:
        self._start = start
        self._link: Link | None = None
        self.commands: Commands | None = None

    @property
    def started(self) -> bool:
        """Whether a worker has ever been started."""
        return self._link is not None

    @property
    def kept(self) -> Kept | None:
        """The latest snapshot, from which another worker goes on; None where there is none."""
        return self._link.kept if self._link else None

    async def start(self) -> tuple[Commands, AsyncIterator[Envelope[Received]]]:
        """Start the worker; returns its commands and its messages.

        Raises `OSError` where it cannot be started.
        """
        self._link = await self._start()
        self.commands = Commands(self._link)
        return self.commands, self._link.messages()

    def restart(self) -> None:
        """After the worker's end, start another one from the latest snapshot."""
        assert self._link is not None
        self._link.restart()

    async def close(self) -> None:
        """End the worker, and wait until it has ended."""
        if self._link is not None:
            await self._link.close()
