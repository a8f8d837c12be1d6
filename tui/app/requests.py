"""What keys ask of the training, and the line that answers each key."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

from textual.notifications import SeverityLevel
from vramtop.tui.controls import runs, settings
from vramtop.tui.controls.controls import CONTROLS, no_question
from vramtop.tui.controls.reply import Reply
from vramtop.tui.state.lesson import fair
from vramtop.tui.state.state import State

from .layers import Layers
from .training import Training

if TYPE_CHECKING:
    from vramtop.tui.screens.questions import Question


class Asker(Protocol):
    """What requests need of an app."""

    state: State
    training: Training
    layers: Layers

    def say(self, text: str, severity: SeverityLevel = "information") -> None:
        """Answer a key."""
        ...


class Requests:
    """Uses controls on the training of `app`, and opens the prompts that ask for a value."""

    def __init__(self, app: Asker) -> None:
        self._app = app

    def use(self, control: Callable[..., Reply | None], *arguments: object) -> None:
        """Use a control with these arguments, and show its reply."""
        self.answer(control(self._app.state, self._app.training.commands, *arguments))

    def use_named(self, name: str) -> None:
        """Use one of the `CONTROLS`."""
        self.use(CONTROLS[name])

    def answer(self, reply: Reply | None) -> None:
        """Show a reply, if there is one."""
        if reply is not None:
            self._app.say(reply.text, reply.severity)

    def ask(self, name: Question | Literal["comparison"]) -> None:
        """Open a prompt for a setting, or for batch sizes to compare."""
        lesson, commands = self._app.state.lesson, self._app.training.commands
        configured = lesson.configured if lesson else None
        refusal = no_question(name, self._app.state)
        if refusal is not None or lesson is None or configured is None or commands is None:
            self.answer(refusal)
            return
        # Screens other than the main one are imported when they are first opened, not before the
        # first frame.
        from vramtop.tui.screens.questions import comparison, question

        base, images = commands.base(lesson.settings), configured.data.train_images
        if name == "comparison":
            suggested = fair.sizes(base, lesson.visited, images)
            prompt = comparison(base, suggested, images, partial(self.use, runs.compare))
        else:
            prompt = question(name, base, images, partial(self._set, name))
        self._app.layers.open(prompt)

    def _set(self, name: str, value: float | None) -> None:
        self.use(partial(settings.change, **{name: value}))
