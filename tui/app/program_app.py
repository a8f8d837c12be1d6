"""The app on a program that is watched: one that runs already, or one that it has started."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Resize
from vramtop.protocol.split import Category
from vramtop.tui.programs.link import ProgramLink
from vramtop.tui.programs.started import Started
from vramtop.tui.state.state import State
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.terminal.exits import FAILED, INTERRUPTED
from vramtop.tui.words.keys import LIST_KEYS, NEXT_KEY, OUTPUT_KEY, PROGRAM_KEYS, TYPE_KEY, Key
from vramtop.tui.worker.link import Parted, Received, Watch

from .config import Config
from .lesson_app import VramtopApp
from .state_app import FULL, NO_CONFIG

_SURE_SECONDS = 5.0  # in which the second q counts


class ProgramApp(VramtopApp):
    """Shows the program behind a link.

    `refusal` is why nothing could be watched; then the app has ended at once.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key.keys, key.action, key.help, show=False)
            for key in (OUTPUT_KEY, TYPE_KEY, NEXT_KEY, *LIST_KEYS)
        ),
        # In the help it stands beside ].
        Binding("left_square_bracket", "list_depth(-1)", "Modules less deep", show=False),
        Binding("ctrl+c", "interrupt", "Interrupt", show=False, priority=True),
    ]

    def __init__(
        self,
        link: ProgramLink,
        watch: Callable[[], Watch] | None = None,
        terminal: Terminal = FULL,
        config: Config = NO_CONFIG,
    ) -> None:
        super().__init__(None, link.start, watch, terminal, config)
        self.refusal: str | None = None
        self._sure = False
        self._link = link
        self._command = link if isinstance(link, Started) else None

    def on_mount(self) -> None:
        """Leave room for the output of a program that we have started."""
        self.screen_stack[0].set_class(self._command is not None, "started")

    def on_resize(self, event: Resize) -> None:
        """Give the program's own terminal the same size."""
        if self._command is not None:
            self._command.resize(event.size)

    def react(self, before: State, message: Received) -> None:
        """Act on a message that is already in the state."""
        super().react(before, message)
        if not isinstance(message, Parted):
            return
        if before.watched is None:
            self.refusal = message.reason
            code = self._command.code if self._command else None
            self.exit(return_code=FAILED if code is None else code)
        elif self._command is not None and self._command.asked:
            self.leave()

    @property
    def keys(self) -> Sequence[Key]:
        """The keys that mean something for this program."""
        own = (NEXT_KEY,) if self._command is None else (OUTPUT_KEY, TYPE_KEY, NEXT_KEY)
        return (*own, *LIST_KEYS, *PROGRAM_KEYS)

    def choose(self, category: Category | None) -> None:
        """Choose this category; of *other*, ask the program who holds it."""
        super().choose(category)
        if category == "other":
            self._link.ask_who()

    def action_leave(self) -> None:
        """Leave the output; else the moment; else the category."""
        main = self.screen_stack[0]
        if main.has_class("output"):
            main.remove_class("output")
        else:
            super().action_leave()

    def action_output(self) -> None:
        """The program's output in the whole screen, or back."""
        if self._command is not None:
            self.screen_stack[0].toggle_class("output")

    def action_type_line(self) -> None:
        """Ask for a line of input for the program that we have started."""
        if self._command is None:
            self.say("a program that ran already has a terminal of its own")
        elif self._command.code is not None:
            self.say("the program has ended")
        else:
            # Other screens than the main one are imported when they are first opened.
            from vramtop.tui.screens.prompt import Prompt

            hint = "the program reads it as if it was typed on its terminal"
            self.layers.open(Prompt("A line for the program", hint, "", str, self._type_line))

    def _type_line(self, text: str) -> None:
        if self._command is not None and not self._command.type_line(text):
            self.say("the program takes no input now", severity="warning")

    async def action_next_program(self) -> None:
        """The program's next device, or the program of the next rank."""
        if not await self._link.show_next():
            self.say("there is no other device or rank to show")

    async def action_quit(self) -> None:
        """Leave. A program that we have started, and that still runs, is asked to end first."""
        command = self._command
        if command is None or command.code is not None:
            self.leave()
        elif command.asked:
            command.end(signal.SIGKILL)
        elif self._sure:
            command.end()
            self.say("the program is asked to end; q kills it", severity="warning")
        else:
            self._sure = True
            self.set_timer(_SURE_SECONDS, self._unsure)
            self.say("the program still runs: q again ends it", severity="warning")

    def _unsure(self) -> None:
        self._sure = False

    def action_interrupt(self) -> None:
        """Interrupt the program that we have started, as ctrl-C does without us, and leave."""
        if self._command is not None:
            self._command.end(signal.SIGINT)
        self.exit(return_code=INTERRUPTED)

    def leave(self) -> None:
        """End the app; its exit code is the program's."""
        code = self._command.code if self._command else None
        self.exit(return_code=code or 0)
