"""The app that shows the GPUs: it trains nothing, and can look inside the processes on them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import replace
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.worker import Worker
from vramtop.protocol.split import Category
from vramtop.tui.screens.gpus import GpusAlone
from vramtop.tui.state.folding import fold
from vramtop.tui.state.frozen import held_or_not
from vramtop.tui.state.program import outside
from vramtop.tui.state.state import State
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.words.keys import GPU_APP_KEYS, GPU_KEYS, INSIDE_KEYS, Key
from vramtop.tui.worker.link import Entering, Parted, Received, Watch, Watched

from .config import Config
from .state_app import FULL, NO_CONFIG
from .step_app import StepApp

if TYPE_CHECKING:
    from vramtop.tui.programs.link import ProgramLink
    from vramtop.tui.screens.inside import InsideScreen


_PROGRAM_STYLES = Path(__file__).with_name("app.tcss")


def _inside() -> InsideScreen:
    # Imported only now, so that the first frame does not wait for it.
    from vramtop.tui.screens.inside import InsideScreen

    return InsideScreen()


async def look_in(pid: int) -> ProgramLink:
    """Begin to look into a process."""
    from vramtop.tui.programs.link import Attached

    return await Attached(pid).start()


class GpuApp(StepApp):
    """The machine's GPUs and their processes; or the program that is looked into.

    Each of the two is a mode with a stack of screens. `enter` begins to look into a process.
    """

    CSS_PATH: ClassVar[str | list[str | PurePath]] = ["base.tcss", "../screens/gpus.tcss"]
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        "gpus": GpusAlone,
        "program": _inside,
    }
    DEFAULT_MODE: ClassVar[str] = "gpus"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key.keys, key.action, key.help, show=False) for key in GPU_APP_KEYS),
        Binding("escape", "leave", "Call off", show=False),
        Binding("ctrl+c", "end", "Quit", show=False, priority=True),
    ]

    def __init__(
        self,
        watch: Callable[[], Watch] | None = None,
        terminal: Terminal = FULL,
        config: Config = NO_CONFIG,
        enter: Callable[[int], Awaitable[ProgramLink]] = look_in,
    ) -> None:
        super().__init__(State(life="none"), watch, terminal, config)
        self._enter = enter
        self._visit: Worker[None] | None = None
        self._link: ProgramLink | None = None

    @property
    def inside(self) -> bool:
        """Whether a program is shown."""
        return self.current_mode == "program"

    @property
    def keys(self) -> Sequence[Key]:
        """The keys that mean something for what is shown."""
        return INSIDE_KEYS if self.inside else GPU_KEYS

    def begin(self) -> None:
        """Show that nothing is known yet, then look at the GPUs."""
        # The parts of a screen are there only now, unlike those that an app composes itself.
        self.painter.paint_anew(self.state)
        super().begin()

    # ---- looking inside ---------------------------------------------------------------------

    def action_look_inside(self) -> None:
        """Look inside the chosen process; from a GPU, first go to its processes."""
        gpus = self.screen_stack[0]
        if not isinstance(gpus, GpusAlone):
            return
        if self.state.inside is not None:
            self.say(f"process {self.state.inside.pid} is being entered; esc calls it off")
        elif gpus.on_gpus:
            if not gpus.go_to_processes():
                self.say("no process holds memory on this GPU")
        elif gpus.chosen is None:
            self.say("no process is known here")
        else:
            self.receive(Entering(gpus.chosen.pid, gpus.chosen.command))
            # An error in `_listen` ends the app with its traceback.
            self._visit = self.run_worker(self._listen(gpus.chosen.pid))

    async def _listen(self, pid: int) -> None:
        self._link = link = await self._enter(pid)
        try:
            async for envelope in link.messages():
                self.receive(envelope.message)
        finally:
            await link.close()

    def react(self, before: State, message: Received) -> None:
        """Act on a message that is already in the state."""
        super().react(before, message)
        if isinstance(message, Watched) and before.watched is None:
            self._show_program()
        elif isinstance(message, Parted) and before.watched is None:
            self._part()
        self._make_room()

    def _show_program(self) -> None:
        """Show the program's screen, whose styles the first frame has not waited for."""
        if not self.stylesheet.has_source(str(_PROGRAM_STYLES)):
            self.stylesheet.read(_PROGRAM_STYLES)
        self.state = replace(self.state, held_gpus=None)
        self.switch_mode("program")
        self.screen.add_class(self._choices.layout)
        # A screen handles this first of all once its parts are there.
        self.screen.call_later(self.call_later, lambda: self.painter.paint_anew(self.state))

    def _part(self) -> None:
        """Look no longer; the connection is closed."""
        if self._visit is not None:
            self._visit.cancel()
            self._visit = None
        self.state = outside(self.state)

    def _make_room(self) -> None:
        """Make room for the news and the log below the GPUs where there are some."""
        if not self.inside:
            there = {"news": self.state.news is not None, "logged": bool(self.state.log)}
            self.screen_stack[0].update_classes(there)

    def choose(self, category: Category | None) -> None:
        """Choose this category; of *other*, ask the program who holds it."""
        super().choose(category)
        if category == "other" and self._link is not None:
            self._link.ask_who()

    async def action_next_program(self) -> None:
        """The program's next device."""
        if self._link is not None and not await self._link.show_next():
            self.say("there is no other device to show")

    def _back(self) -> None:
        """Leave the program as it was, and show the GPUs."""
        watched = self.state.watched
        if watched is not None and self.state.life == "running":
            left = f"left {watched.program} (pid {watched.pid}), which goes on"
            self.state = fold(self.state, Parted(left, over=False))
        self.choose(None)
        self._part()
        self.layers.close_all()
        self.switch_mode("gpus")
        self._make_room()
        self.painter.paint_anew(self.state)

    # ---- keys -------------------------------------------------------------------------------

    def action_leave(self) -> None:
        """Leave the moment; else the category; else the program. On the GPUs, call off.

        Where there is nothing to call off, list all processes again.
        """
        if not self.inside:
            if self.state.inside is None and self.state.news is None and self.list_all():
                return
            self._part()
            self.show(replace(self.state, news=None))
            self._make_room()
        elif self.state.cursor is not None or self.state.chosen is not None:
            super().action_leave()
        else:
            self._back()

    def action_hold(self) -> None:
        """Hold the picture of the GPUs, or let it follow them again."""
        if self.inside:
            return
        self.show(held_or_not(self.state))
        held = self.state.held_gpus is not None
        self.say("the picture is held; space lets it go on" if held else "it goes on")

    async def action_quit(self) -> None:
        """Back to the GPUs; from there, leave with exit code 0."""
        if self.inside:
            self._back()
        else:
            await super().action_quit()

    def action_end(self) -> None:
        """Leave from wherever it is."""
        self.exit(0)

    def action_help(self) -> None:
        """What the keys do, and for a program what the words mean."""
        from vramtop.tui.screens.help import GPU_SCREEN_KEYS, Help, about_program

        sections = about_program(self.state) if self.inside else (GPU_SCREEN_KEYS,)
        self.layers.open(Help(self.keys, sections))
