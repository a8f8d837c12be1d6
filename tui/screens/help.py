"""The help: what the keys do, how to read the bars, and what the words mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.events import Resize
from textual.screen import ModalScreen
from vramtop.tui.state.state import State
from vramtop.tui.widgets.help import HelpText
from vramtop.tui.widgets.stacked_screen import StackedScreen
from vramtop.tui.words.driver import section
from vramtop.tui.words.keys import Key
from vramtop.tui.words.vocabulary import READING_PROGRAM, WORDS_PROGRAM, Entry, Section

from .room import HEIGHTS

_CHOOSING = (
    Entry("↑ ↓", "choose a GPU or a process, as a click and the wheel do"),
    Entry("tab", "from the GPUs to the processes, and back"),
    Entry("pgup pgdn", "a page up or down; home and end, the first and the last"),
    Entry("← →", "the whole command, also its end"),
    Entry("click", "on a title sorts by it, once more the other way round"),
)
_INSIDE = Entry(
    "→ •", "a process with PyTorch that can be looked into; one that is observed already"
)
GPU_SCREEN_KEYS = Section(
    "on this screen",
    (
        *_CHOOSING,
        Entry("enter", "from a GPU to its processes; from a process to what it holds, by category"),
        Entry("esc", "call off looking inside; else list all processes again"),
        _INSIDE,
    ),
)
OVER_TRAINING_KEYS = Section(
    "on this screen",
    (
        *_CHOOSING,
        Entry("enter", "move the training of the lesson to the chosen GPU"),
        Entry("esc", "back to the training, whose other keys go on working"),
        _INSIDE,
    ),
)


def about_program(state: State) -> tuple[Section, ...]:
    """What the help says of a watched program, with the driver's figure as it is now."""
    driver = (section(state.driver),) if state.driver is not None else ()
    return (READING_PROGRAM, *driver, WORDS_PROGRAM)


# A terminal with this many columns has room for the text in two.
_COLUMNS = 120


class Help(ModalScreen[None], StackedScreen):
    """The help over another screen: these keys, then these sections."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,question_mark,enter,space", "dismiss", "Close"),
        ("T", "app.tour", "Guided tour"),
        ("q", "app.quit", "Quit"),
    ]
    VERTICAL_BREAKPOINTS = HEIGHTS

    def __init__(self, keys: Sequence[Key], sections: Sequence[Section]) -> None:
        super().__init__()
        self._keys = keys
        self._sections = sections

    def compose(self) -> ComposeResult:
        """The text; it scrolls where the terminal is small."""
        with VerticalScroll(id="dialog") as dialog:
            dialog.border_title = "help"
            dialog.border_subtitle = "↑ ↓ scroll · esc closes"
            yield HelpText(self._keys, self._sections)

    def on_resize(self, event: Resize) -> None:
        """Use two columns where there is room for them."""
        self.set_class(event.size.width >= _COLUMNS, "columns")
