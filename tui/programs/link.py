"""Programs that are watched, as the worker of the screen: one that runs, or one that is started."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import psutil
from vramtop.protocol.messages import Note
from vramtop.protocol.observed.record import Ended, FromObserver, Removed
from vramtop.protocol.wire.envelope import Envelope, Stamp
from vramtop.protocol.wire.framing import ToWorker
from vramtop.tui.worker.link import Parted, Received

from . import inject
from .programs import Program, ask_of_growth
from .shown import Shown
from .target import CannotAttach
from .viewer import CannotView, Viewer, connect

_LOOKS = 10
Heard = Callable[[Program, FromObserver], None]


def nobody(program: Program, message: FromObserver) -> None:
    """Do nothing with what is heard."""


class ProgramLink:
    """Shows one program on one device, and watches all.

    Of several ranks the lowest one is shown, or the one that was asked for; the others are named
    in the log, and so are further devices. `heard` is called with each message of each program.
    """

    started = False  # whether we have started the programs
    kept = None  # there are no snapshots of a program that is not ours

    def __init__(self, heard: Heard = nobody) -> None:
        self.known: list[Program] = []
        self._heard = heard
        self._stamp = Stamp()
        self._said: asyncio.Queue[Received] = asyncio.Queue()
        self._shown: Shown | None = None
        self._asked_for: Shown | None = None
        self._showing = asyncio.Lock()  # whoever holds it computes what is shown, or changes it
        self._following: set[asyncio.Task[None]] = set()
        self._viewers: dict[Shown, Viewer] = {}
        self._programs: dict[Shown, Program] = {}

    @abstractmethod
    async def start(self) -> ProgramLink:
        """Begin; what comes of it is said to the screen."""

    # ---- as the screen sees it --------------------------------------------------------------

    async def messages(self) -> AsyncIterator[Envelope[Received]]:
        """All that the screen is to show, in order."""
        while True:
            yield self._stamp.envelope(await self._said.get())

    def send(self, command: ToWorker) -> None:
        """Do nothing: a program that is not ours takes no command."""

    def move(self, device: str) -> None:
        """Do nothing: it cannot be moved to another GPU."""

    def restart(self) -> None:
        """Do nothing: it cannot be started again from a snapshot."""

    async def close(self) -> None:
        """Leave the programs as they are."""
        for task in self._following:
            task.cancel()
        for viewer in self._viewers.values():
            with suppress(OSError):
                await viewer.close()

    # ---- programs that come and go ----------------------------------------------------------

    def say(self, *messages: Received) -> None:
        """Let the screen show these."""
        for message in messages:
            self._said.put_nowait(message)

    def follow(self, viewer: Viewer) -> None:
        """Watch a program from now on."""
        task = asyncio.create_task(self._follow(viewer))
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def show_next(self) -> bool:
        """Show the next device of the program, or after the last one the program of the next rank.

        False where there is only one.
        """
        async with self._showing:
            ranked, before = sorted(self._viewers, key=_rank), self._shown
            if before is None:
                return False
            new = before
            if not before.next_device():
                new = ranked[(ranked.index(before) + 1) % len(ranked)]
                if new is before and not before.several_devices:
                    return False
            self._shown = self._asked_for = new
            self.say(*new.begin())
        for step in list(self._programs[new].latest.values()):
            await self._show(new, step)
        return True

    def ask_who(self) -> None:
        """Ask the program that is shown who holds what is in *other*.

        Looking for them takes the program a tenth of a second, so by itself this is done only once
        something grows.
        """
        if self._shown is not None:
            shown = self._shown
            self._programs[shown].ask(self._viewers[shown], *shown.unasked)

    async def _follow(self, viewer: Viewer) -> None:
        program = Program(viewer.observed)
        shown = Shown(program, started=self.started)
        self.known.append(program)
        self._viewers[shown], self._programs[shown] = viewer, program
        self._choose()
        viewer.watch()
        asked: set[str] = set()
        reason: str | None = None
        try:
            async for message in viewer.messages():
                program.add(message)
                await program.learn(message)
                self._heard(program, message)
                if isinstance(message, Removed):
                    reason = f"the observer has removed itself: {message.reason}"
                if isinstance(message, Ended):
                    reason = ""
                if self._shown is shown:
                    await self._show(shown, message)
                    await ask_of_growth(viewer, program, message, asked)
        except CannotView as error:
            reason = str(error)
        if reason is None:
            ended = await _ended(viewer.observed.pid)
            reason = "" if ended else f"{shown.name} does not answer any more"
        del self._viewers[shown], self._programs[shown]
        await viewer.close()
        if self._shown is shown:
            self._shown = None
            self._choose()
        if self._shown is None:
            self.ended(shown, reason)
        elif reason:
            self.say(Note(f"{shown.name}: {reason}"))

    async def _show(self, shown: Shown, message: FromObserver) -> None:
        """Let the screen show this, unless another program is shown once it is computed."""
        async with self._showing:
            messages = await asyncio.to_thread(_all, shown, message)
            if self._shown is shown:
                self.say(*messages)

    def _choose(self) -> None:
        """Show the program of the lowest rank; without ranks, go on with the one that is shown."""
        ranked = sorted(self._viewers, key=_rank)
        if not ranked:
            return
        best = ranked[0]
        stays = self._shown is self._asked_for or (
            self._shown and _rank(self._shown) <= _rank(best)
        )
        if self._shown is not None and stays:
            newest = [*self._viewers][-1]
            self.say(Note(f"{newest.name} runs too; {self._shown.name} is shown"))
            return
        before, self._shown = self._shown, best
        self.say(*best.begin())
        if before is not None:
            self.say(Note(f"{before.name} runs too; {best.name} is shown"))

    @abstractmethod
    def ended(self, shown: Shown, reason: str) -> None:
        """The program that was shown is no longer watched, and there is no other.

        `reason` is empty where it has ended.
        """


async def _ended(pid: int) -> bool:
    """Whether a process ends within a second."""
    for _ in range(_LOOKS):
        with suppress(psutil.AccessDenied):
            try:
                status = psutil.Process(pid).status()
            except psutil.NoSuchProcess:
                return True
            if status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
                return True
        await asyncio.sleep(1 / _LOOKS)
    return False


def _all(shown: Shown, message: FromObserver) -> list[Received]:
    return [*shown.messages(message)]


def _rank(shown: Shown) -> int:
    return shown.observed.rank or 0


class Attached(ProgramLink):
    """Looks into a process that runs already, and leaves it as it was."""

    def __init__(self, pid: int, heard: Heard = nobody) -> None:
        super().__init__(heard)
        self._pid = pid
        self._entering: asyncio.Task[None] | None = None

    async def start(self) -> Attached:
        """Begin to look in; the screen is told when that has succeeded, or why not."""
        self._entering = asyncio.create_task(self._enter())
        return self

    async def _enter(self) -> None:
        try:
            self.follow(await connect(await asyncio.to_thread(inject.attach, self._pid)))
        except (CannotAttach, CannotView) as error:
            self.say(Parted(str(error), over=False, trouble=True))

    def ended(self, shown: Shown, reason: str) -> None:
        """Say so."""
        if reason:
            self.say(Parted(f"{reason}; the program goes on", over=False, trouble=True))
        else:
            self.say(Parted(f"{shown.name} has ended", over=True))

    async def close(self) -> None:
        """Leave the program as it was."""
        if self._entering is not None:
            self._entering.cancel()
        await super().close()
