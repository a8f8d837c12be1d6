"""The base of all apps: a state that messages change, and a screen that follows it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import PurePath
from time import monotonic
from typing import Any, ClassVar

import msgspec
from textual import actions
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.notifications import SeverityLevel
from textual.screen import Screen
from vramtop.protocol.gpus import GpusReport
from vramtop.protocol.messages import Note
from vramtop.tui.state.folding import fold
from vramtop.tui.state.gpu_history import extended
from vramtop.tui.state.state import State
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.terminal.palette import TEXTUAL_THEMES
from vramtop.tui.terminal.translation import Translation
from vramtop.tui.widgets.cached import CachedScreen
from vramtop.tui.widgets.events import event
from vramtop.tui.widgets.headlines import Headline
from vramtop.tui.widgets.lines import NewsLine
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.widgets.stacked_screen import PaletteScreen
from vramtop.tui.words.keys import Key
from vramtop.tui.worker.link import Received, Watch

from .choices import LAYOUTS, RATES, THEMES, following
from .config import CannotKeep, Config
from .layers import Layers
from .painting import WHOLE_SECONDS, Painter
from .saving import CannotSave, save, screenshot

FULL = Terminal()  # a terminal that can show everything
NO_CONFIG = Config()
_LATE_SECONDS = 2  # without a report, which comes once a second where anything has changed


class StateApp(App[int]):
    """Folds messages into its state; its `painter` decides when the screen follows.

    `watch` starts the sampler of the GPUs; it is called once the first frame is drawn.
    """

    TITLE = "vramtop"
    CSS_PATH: ClassVar[str | list[str | PurePath]] = ["base.tcss", "app.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, priority=True),
    ]

    def __init__(
        self,
        state: State,
        watch: Callable[[], Watch] | None,
        terminal: Terminal = FULL,
        config: Config = NO_CONFIG,
    ) -> None:
        # With NO_COLOR, keep the terminal's own colours instead of Textual's.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.state = state
        self._css_colors: dict[str, str] | None = None
        self._watch = watch
        self._config = config
        self._choices, self._wrong = config.read()
        self.painter = Painter(lambda: self.panels, 1 / self._choices.refresh)
        self.layers = Layers(self, lambda: self.painter.paint_anew(self.state))
        self._translation = Translation(terminal.characters)
        few = terminal.colors <= 16
        self.set_class(few or terminal.characters != "unicode", "patterned")
        for theme in TEXTUAL_THEMES:
            self.register_theme(theme)
        self.theme = self._choices.theme or ("terminal" if few else "dark")

    # ---- the screen -------------------------------------------------------------------------

    def get_default_screen(self) -> CachedScreen:
        """The first screen of the stack."""
        return CachedScreen(id="_default", classes=self._choices.layout)

    def refresh_css(self, animate: bool = True) -> None:
        """Style all parts anew, with the theme's colours.

        Textual would parse all styles here each time. While the colours are the same, what is
        parsed already stays. Before there are any parts, nothing is parsed.
        """
        colors = self.get_css_variables()
        if colors == self._css_colors:
            self.stylesheet.update(self, animate=animate)
            return
        self._css_colors = colors
        if self.screen_stack:
            super().refresh_css(animate)
        else:
            self.stylesheet.set_variables(colors)

    def on_mount(self) -> None:
        """Draw the first frame, then begin."""
        self.painter.paint_anew(self.state)
        self.set_interval(WHOLE_SECONDS, self._second)
        # After a suspension, the terminal has lost the whole screen.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        self.call_after_refresh(self.begin)
        if self._wrong is not None:
            self._warn(self._wrong)

    def _second(self) -> None:
        """Show what has changed. GPUs of which there is no news are still as they were."""
        known = self.state.gpu_history.at
        if known and monotonic() - known[-1] >= _LATE_SECONDS:
            self._note_gpus()
        self.painter.catch_up(self.state)

    def _note_gpus(self) -> None:
        """Note what the GPUs are like now."""
        gpus = self.state.gpus.gpus if self.state.gpus else ()
        history = extended(self.state.gpu_history, int(monotonic()), gpus)
        if history is not self.state.gpu_history:
            self.state = msgspec.structs.replace(self.state, gpu_history=history)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters, then the translation into the terminal's characters."""
        filters = super().get_line_filters()
        return [*filters, self._translation] if self._translation.enabled else filters

    @property
    def panels(self) -> list[Panel[Any]]:
        """The panels of all screens; none while the app ends, when its screens are gone."""
        screens = self.screen_stack if self.is_running else ()
        parts = (part for screen in screens for part in screen.walk_children())
        return [part for part in parts if isinstance(part, Panel)]

    def paint(self) -> None:
        """Show the state now."""
        self.painter.paint(self.state)

    def show(self, state: State) -> None:
        """Set the state, as a key, the mouse or the clock has changed it, and show it now."""
        self.state = state
        self.paint()

    # ---- messages ---------------------------------------------------------------------------

    def begin(self) -> None:
        """Look at the GPUs from now on."""
        # An error in `_look` ends the app with its traceback.
        if self._watch is not None:
            self.run_worker(self._look(self._watch()))

    async def _look(self, watch: Watch) -> None:
        try:
            async for report in watch.reports():
                self.receive(report)
        finally:
            watch.close()

    def receive(self, message: Received) -> None:
        """Fold a message into the state, say what no panel shows, and show what it changes."""
        before, self.state = self.state, fold(self.state, message)
        if isinstance(message, GpusReport):
            # In the state that shows the report, so that both are drawn at once.
            self._note_gpus()
        if happened := event(before, self.state, covered=len(self.screen_stack) > 1):
            self.say(happened.text, "error" if happened.trouble else "information")
        self.react(before, message)
        self.painter.follow(before, self.state, message)

    def react(self, before: State, message: Received) -> None:
        """Act on a message that is already in the state."""

    # ---- keys -------------------------------------------------------------------------------

    @property
    def keys(self) -> Sequence[Key]:
        """The keys that the help and the command palette list."""
        return ()

    def say(self, text: str, severity: SeverityLevel = "information") -> None:
        """Answer a key in the place of the news, or in a toast if that has no room.

        Only the latest answer is shown.
        """
        self.clear_notifications()
        answer = Headline(text, trouble=severity != "information")
        lines = [line for line in self.screen.query(NewsLine) if line.region.area]
        if any(line.answer(answer) for line in lines):
            return
        self.notify(text, severity=severity, markup=False)
        # A toast that is not drawn yet is not cleared above.
        self.call_after_refresh(self._leave_the_latest)

    def _leave_the_latest(self) -> None:
        for toast in list(self.screen.query("Toast"))[:-1]:
            toast.remove()

    def action_theme(self) -> None:
        """The next theme."""
        theme = following(THEMES, self.theme)
        self.theme = theme
        for panel in self.panels:
            panel.draw_again()
        instead = ", which NO_COLOR keeps without colours" if self.no_color else ""
        self._choose(f"{theme} theme{instead}", theme=theme)

    def action_layout(self) -> None:
        """The next layout of the main screen."""
        layout = following(LAYOUTS, self._choices.layout)
        self.screen_stack[0].remove_class(*LAYOUTS).add_class(layout)
        self._choose(f"layout: {layout}", layout=layout)

    def action_refresh(self) -> None:
        """The next refresh rate."""
        refresh = following(RATES, self._choices.refresh)
        self.painter.seconds = 1 / refresh
        self._choose(f"{refresh} refresh{'es' if refresh > 1 else ''} a second", refresh=refresh)

    def _choose(self, text: str, **choice: Any) -> None:  # noqa: ANN401 - of each field's type
        """Keep a choice, and say which it is."""
        self._choices = msgspec.structs.replace(self._choices, **choice)
        self.say(text)
        try:
            self._config.keep(**choice)
        except CannotKeep as error:
            self._warn(f"{text}, but {error}")

    def _warn(self, text: str) -> None:
        """Say what is wrong with the config file, on the screen and in the log."""
        self.receive(Note(text))
        self.say(text, severity="warning")

    def action_save_screen(self) -> None:
        """Save what is on the screen, as SVG and as text."""
        self.save(screenshot(self))

    def save(self, contents: Mapping[str, str]) -> None:
        """Write a file for each suffix, and say where they are."""
        try:
            self.say(f"saved {save(contents, datetime.now())}")
        except CannotSave as error:
            self.say(str(error), severity="error")

    def action_command_palette(self) -> None:
        """Open the command palette, unless it is open."""
        if not isinstance(self.screen, PaletteScreen):
            self.layers.open(PaletteScreen())

    async def action_quit(self) -> None:
        """Leave, with exit code 0."""
        self.exit(0)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the keys do, for the command palette."""
        del screen
        for key in self.keys:
            _, name, parameters = actions.parse(key.action)
            call = partial(getattr(self, f"action_{name}"), *parameters)
            yield SystemCommand(key.name, f"{key.help} ({key.shown})", call)
