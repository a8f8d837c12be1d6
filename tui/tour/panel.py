"""The tour's strip: which step it is, what to watch, and what was measured."""

from __future__ import annotations

import re
from textwrap import wrap
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.screen import Screen
from vramtop.tui.state.state import State
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.hints import hints
from vramtop.tui.widgets.lines import NewsLine
from vramtop.tui.widgets.panel import Panel, between

from .guide import Guide, TourProgress
from .steps import STEPS

_TOURING = "touring"
_UNIT = re.compile(r" (?=[KMGTP]?i?B\b)")


class TourStrip(Panel[TourProgress]):
    """A few lines in place of the lower part of the screen.

    It has the focus, so that it gets its own keys; all other keys go to the app.
    """

    can_focus = True
    BINDINGS: ClassVar[list[BindingType]] = [
        ("enter,right", "go_on", "Next"),
        ("left", "go_back", "Back"),
        ("escape", "end", "End"),
    ]

    def __init__(self, guide: Guide) -> None:
        super().__init__()
        self._guide = guide

    def show(self, state: State) -> None:
        """Let the guide see the state, then show how far the tour is."""
        self._guide.see(state)
        super().show(state)

    def pick(self, state: State) -> TourProgress:
        """How far the tour is."""
        del state
        return self._guide.progress

    def draw(self, shown: TourProgress, width: int, height: int) -> Text:
        """The title, two sentences, and what was measured; the last is never left out."""
        colors, step = self.palette, STEPS[shown.place]
        mark, room = ("▌ ", ink(colors.accent)), width - 2
        title = Text(f"{shown.place + 1} of {len(STEPS)}  ", ink(colors.accent, bold=True))
        title.append(step.title, ink(colors.text, bold=True))
        lines = [between(title, self._keys(shown), room)]
        style = ink(colors.text) if shown.text else ink(colors.muted)
        seen = [Text(line, style) for line in _seen(shown, room)]
        words = wrap(step.words, room, max_lines=max(1, height - 1 - len(seen)), placeholder=" …")
        if height > 1 + len(seen):
            lines += [Text(line, ink(colors.muted)) for line in words]
        marked = [Text.assemble(mark, line) for line in [*lines, *seen]]
        return Text("\n").join(marked[:height])

    def _keys(self, shown: TourProgress) -> Text:
        last = shown.place + 1 == len(STEPS)
        on = [] if last and not shown.enter else [("enter", shown.enter or "next")]
        return hints((*on, ("←", "back"), ("esc", "end")), self.palette)

    def action_go_on(self) -> None:
        """Go on to the next phase or step; after the last one, end the tour."""
        if self._guide.go_on():
            self._show_again()
        else:
            self.action_end()

    def action_go_back(self) -> None:
        """Go back to the step before."""
        self._guide.go_back()
        self._show_again()

    def action_end(self) -> None:
        """End the tour; the screen and the settings become as they were before it."""
        self._guide.end()
        self.screen.remove_class(_TOURING)
        self.remove()

    def _show_again(self) -> None:
        self._shown = self._guide.progress
        self.draw_again()


def begin_tour(screen: Screen[object], guide: Guide) -> None:
    """Begin a tour at the foot of this screen; one that is under way only gets the focus back."""
    if not screen.query(TourStrip):
        screen.mount(TourStrip(guide), before=screen.query_one(NewsLine))
        screen.add_class(_TOURING)
    screen.set_focus(screen.query_one(TourStrip))


def _seen(shown: TourProgress, room: int) -> list[str]:
    """What was measured, or what the tour waits for."""
    if shown.over:
        return ["there is no training any more"]
    if shown.text:
        # A number and its unit stay together.
        text = _UNIT.sub("\xa0", shown.text)
        return [line.replace("\xa0", " ") for line in wrap(f"▸ {text}", room)]
    if shown.paused and shown.waiting:
        return ["paused: space goes on"]
    return ["measuring…"]
