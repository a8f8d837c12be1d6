"""An app whose picture follows from its state: messages are folded in, panels are told."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Any, ClassVar

import msgspec
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.notifications import SeverityLevel
from textual.screen import Screen
from vramtop.protocol.messages import Note, Sample
from vramtop.tui.gpus.cards import CardsReport
from vramtop.tui.state.events import event
from vramtop.tui.state.state import News, State, fold
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.terminal.palette import TEXTUAL_THEMES
from vramtop.tui.terminal.translation import Translation
from vramtop.tui.widgets.lines import NewsLine
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.widgets.still import Page
from vramtop.tui.words.keys import Key
from vramtop.tui.worker.link import Received, Watch

from .choices import LAYOUTS, RATES, THEMES, following
from .config import CannotKeep, Config
from .layered_app import LayeredApp

_WHOLE_SECONDS = 1.0
_ALMOST = 0.9  # what comes at a pace does not keep it to the millisecond
FULL = Terminal()  # one that can show all
NO_CONFIG = Config()


class StateApp(LayeredApp):
    """Paints its state as it changes; `watch` looks at the GPUs, once the first frame stands."""

    TITLE = "vramtop"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, priority=True),
    ]
    KEYS: ClassVar[Sequence[Key]] = ()

    def __init__(
        self,
        state: State,
        watch: Callable[[], Watch] | None,
        terminal: Terminal = FULL,
        config: Config = NO_CONFIG,
    ) -> None:
        # Without colours those of the terminal stay, and Textual takes none of its own for them.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.state = state
        self._watch = watch
        self._painted: State | None = None
        self._live: list[Panel[Any]] = []
        self._moved = self._whole = -math.inf  # when what moves was shown last, and when all was
        self._config = config
        self._choices, self._wrong = config.read()
        self._translation = Translation(terminal.characters)
        few = terminal.colors <= 16
        self.set_class(few or terminal.characters != "unicode", "patterned")
        for theme in TEXTUAL_THEMES:
            self.register_theme(theme)
        self.theme = self._choices.theme or ("terminal" if few else "dark")

    # ---- the picture ------------------------------------------------------------------------

    def get_default_screen(self) -> Page:
        """The first of the stack."""
        return Page(id="_default")

    def on_mount(self) -> None:
        """Draw first; then look and listen."""
        self.screen.set_class(True, self._choices.layout)
        self.paint()
        # Most panels change slowly or with news, which is painted at once. For the rest of what
        # trickles in, once a second is soon enough, and costs a slow line a quarter.
        self._clock = self.set_interval(_WHOLE_SECONDS, self._catch_up)
        # The terminal has forgotten all of it.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        self.call_after_refresh(self.begin)
        if self._wrong is not None:
            self._warn(self._wrong)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Those of Textual's, and last of all the terminal's characters."""
        filters = super().get_line_filters()
        return [*filters, self._translation] if self._translation.enabled else filters

    def _catch_up(self) -> None:
        """Show all that has changed, unless that was done not a second ago."""
        if monotonic() - self._whole >= _ALMOST * _WHOLE_SECONDS:
            self.paint()

    def _show_moving(self) -> None:
        """Show what is seen to move, at most as often as was chosen; the rest when it is time."""
        now = monotonic()
        if now - self._moved >= _ALMOST * self._seconds:
            self._moved = now
            self._catch_up()
            for panel in self._live if self.is_running else ():
                panel.show(self.state)

    def paint(self) -> None:
        """Show what has changed since the last time."""
        # While the app ends, messages still come and its screens are gone.
        if self.is_running and self.state is not self._painted:
            self._painted, self._whole = self.state, monotonic()
            self.show_state()

    def show_state(self) -> None:
        """Tell every panel of every screen; those that show nothing new stay as they are."""
        panels = self._panels
        for panel in panels:
            panel.show(self.state)
        self._live = [panel for panel in panels if panel.LIVE]

    @property
    def _seconds(self) -> float:
        """From one move to the next, at least."""
        return 1 / self._choices.refresh

    @property
    def _panels(self) -> list[Panel[Any]]:
        parts = (part for screen in self.screen_stack for part in screen.walk_children())
        return [part for part in parts if isinstance(part, Panel)]

    # ---- what comes in ----------------------------------------------------------------------

    def begin(self) -> None:
        """Look at the GPUs from now on."""
        # A mistake of ours in there ends the app with its traceback, not in silence.
        if self._watch is not None:
            self.run_worker(self._look(self._watch()))

    async def _look(self, watch: Watch) -> None:
        try:
            async for report in watch.reports():
                self.receive(report)
        finally:
            watch.close()

    def receive(self, message: Received) -> None:
        """Fold a message in, show what moves with it, and tell of what would not be seen."""
        before, self.state = self.state, fold(self.state, message)
        if happened := event(before, self.state, covered=len(self.screen_stack) > 1):
            self.say(happened.told, "error" if happened.trouble else "information")
        if isinstance(message, (Sample, CardsReport)):
            self._show_moving()

    # ---- keys -------------------------------------------------------------------------------

    def say(self, told: str, severity: SeverityLevel = "information") -> None:
        """Answer a key, in the news' place where there is one; only the latest answer stands."""
        self.clear_notifications()
        answer = News(told, trouble=severity != "information")
        lines = [line for line in self.screen.query(NewsLine) if line.region.area]
        if any(line.answer(answer) for line in lines):
            return
        self.notify(told, severity=severity, markup=False)
        # One that was not drawn yet escaped the clearing.
        self.call_after_refresh(self._leave_the_latest)

    def _leave_the_latest(self) -> None:
        for toast in list(self.screen.query("Toast"))[:-1]:
            toast.remove()

    def action_theme(self) -> None:
        """The next theme."""
        theme = following(THEMES, self.theme)
        self.theme = theme
        for panel in self._panels:
            panel.draw_again()
        instead = ", which NO_COLOR keeps without colours" if self.no_color else ""
        self._choose(f"{theme} theme{instead}", theme=theme)

    def action_layout(self) -> None:
        """The next layout of the main screen."""
        layout = following(LAYOUTS, self._choices.layout)
        self.screen_stack[0].remove_class(*LAYOUTS).add_class(layout)
        self._choose(f"layout: {layout}", layout=layout)

    def action_refresh(self) -> None:
        """Paint more or less often."""
        refresh = following(RATES, self._choices.refresh)
        self._choose(f"{refresh} refresh{'es' if refresh > 1 else ''} a second", refresh=refresh)

    def _choose(self, told: str, **choice: Any) -> None:  # noqa: ANN401 - of each field's type
        """Remember a choice, and say which it is."""
        self._choices = msgspec.structs.replace(self._choices, **choice)
        self.say(told)
        try:
            self._config.keep(**choice)
        except CannotKeep as error:
            self._warn(f"{told}, but {error}")

    def _warn(self, told: str) -> None:
        """Say what went wrong with the choices, for now and for later."""
        self.receive(Note(told))
        self.say(told, severity="warning")

    async def action_quit(self) -> None:
        """Leave, with exit code 0."""
        self.exit(0)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """All that the keys do, for the command palette."""
        del screen
        for key in self.KEYS:
            yield SystemCommand(
                key.name, f"{key.told} ({key.shown})", getattr(self, f"action_{key.action}")
            )
