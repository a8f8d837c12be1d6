"""An app on whose main screen a category can be chosen, by key or by mouse."""

from __future__ import annotations

from typing import ClassVar

from msgspec.structs import replace
from textual.binding import Binding, BindingType
from vramtop.protocol.split import CATEGORIES, Category
from vramtop.tui.widgets.step.picked import Picked

from .state_app import StateApp


class ChoosingApp(StateApp):
    """What is chosen stands in the state; the main screen has the class "chosen" meanwhile."""

    # Down is among the keys that the help and the palette list, and goes round all of it.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "choose_above", "The category above", show=False),
    ]

    def choose(self, category: Category | None) -> None:
        """Choose this one, or none."""
        self.state = replace(self.state, chosen=category)
        self.screen_stack[0].set_class(category is not None, "chosen")
        self.paint()

    def action_choose_above(self) -> None:
        """The category above; above the first none, and then the last one."""
        self._move(-1)

    def action_choose_below(self) -> None:
        """The category below; below the last none, and then the first one."""
        self._move(1)

    def on_picked(self, message: Picked) -> None:
        """Choose the category that was clicked; a second click lets it go."""
        self.choose(None if message.category == self.state.chosen else message.category)

    def _move(self, by: int) -> None:
        ring = (None, *CATEGORIES)
        self.choose(ring[(ring.index(self.state.chosen) + by) % len(ring)])
