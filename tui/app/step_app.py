"""The base of the apps that show a step: its moments, its categories, and what stands beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from vramtop.protocol.split import Category
from vramtop.tui.state.listing import deepest, rows
from vramtop.tui.state.state import State
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.worker.link import Received, Watch

from .config import Config
from .process_actions import ProcessActions
from .state_app import FULL, NO_CONFIG
from .step_walk import StepWalk

if TYPE_CHECKING:
    from vramtop.tui.widgets.step.anatomy import AnatomyChart
    from vramtop.tui.widgets.step.picked import Picked

# A screen's widgets are imported by the screen, which is not always the first one.


class StepApp(ProcessActions):
    """What is looked at in a step, on the first screen of the stack."""

    def __init__(
        self,
        state: State,
        watch: Callable[[], Watch] | None,
        terminal: Terminal = FULL,
        config: Config = NO_CONFIG,
    ) -> None:
        super().__init__(state, watch, terminal, config)
        self.walk = StepWalk(self)

    def react(self, before: State, message: Received) -> None:
        """Let the cursor walk where a message began a walk."""
        del message
        self.walk.follow(before)

    def action_moment(self, by: int) -> None:
        """Move the cursor `by` moments of the recorded step."""
        if refusal := self.walk.move(by):
            self.say(refusal)

    def on_anatomy_chart_chosen(self, message: AnatomyChart.Chosen) -> None:
        """Put the cursor where the mouse clicked."""
        self.walk.put(message.place)

    def choose(self, category: Category | None) -> None:
        """Choose this category, or none."""
        self.screen_stack[0].set_class(category is not None, "chosen")
        self.show(replace(self.state, chosen=category))

    def action_choose(self, by: int) -> None:
        """Choose the category `by` rows further down; between the last and the first is none."""
        ring = (None, *self.state.listed)
        self.choose(ring[(ring.index(self.state.chosen) + by) % len(ring)])

    def on_picked(self, message: Picked) -> None:
        """Choose the category that was clicked; a second click chooses none."""
        self.choose(None if message.category == self.state.chosen else message.category)

    def action_leave(self) -> None:
        """Leave the list in the anatomy's place; else the moment; else the category."""
        main = self.screen_stack[0]
        if main.has_class("listing"):
            main.remove_class("listing")
        elif self.state.cursor is not None:
            self.walk.leave()
        else:
            self.choose(None)

    def action_scale(self) -> None:
        """The next scale of the split bar."""
        from vramtop.tui.widgets.step.split_bar import SplitBar

        bar = self.screen_stack[0].query_one(SplitBar)
        lesson = self.state.lesson
        bar.cycle_scale(budget=lesson is not None and lesson.settings.budget is not None)

    def action_trends(self) -> None:
        """The trends instead of the anatomy, or back."""
        from vramtop.tui.widgets.runs.trends import Trends

        self.show_instead("trends", "trade", Trends)

    # ---- the list of modules, lines or shapes ------------------------------------------------

    def action_list_what(self) -> None:
        """The lines of the program after its modules, then the shapes of its steps.

        Where there is no room for the list it comes in the anatomy's place, and goes after all.
        """
        if not self._open_list():
            listing = self.state.listing.next()
            if listing.what == "modules":
                self.screen_stack[0].remove_class("listing")
            self.show(replace(self.state, listing=listing))

    def action_list_by(self) -> None:
        """Sort the list by the next column."""
        self._open_list()
        modules, listing = self.state.modules, self.state.listing
        listed = rows(listing, modules.layers, modules.lines) if modules else ()
        self.show(replace(self.state, listing=listing.sorted_by_next(listed)))

    def action_list_depth(self, by: int) -> None:
        """The modules `by` names deeper, with all that is within them."""
        self._open_list()
        modules = self.state.modules
        most = deepest(modules.layers) if modules else 0
        self.show(replace(self.state, listing=self.state.listing.deeper(by, most)))

    def _open_list(self) -> bool:
        """Show the list in the anatomy's place, if it is not on the screen."""
        main = self.screen_stack[0]
        if main.query_one("#inside").region.area:
            return False
        main.add_class("listing")
        return True

    def show_instead(self, shown: str, other: str, panel: type[Panel[Any]]) -> None:
        """Show a panel in the anatomy's place, or the anatomy again; say so if there is no room."""
        screen = self.screen_stack[0]

        def look() -> None:
            if screen.has_class(shown) and not screen.query_one(panel).region.area:
                self.say(f"no room for the {shown}: that takes a larger terminal", "warning")

        screen.remove_class(other).toggle_class(shown)
        self.call_after_refresh(look)
