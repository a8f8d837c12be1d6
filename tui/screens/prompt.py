"""A prompt: a question, and one typed answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static
from vramtop.protocol.lesson.settings import SettingError
from vramtop.tui.widgets.stacked_screen import StackedScreen

from .room import HEIGHTS

_Value = TypeVar("_Value")

_ACTIONS = {
    key: binding.action
    for binding in Input.BINDINGS
    if isinstance(binding, Binding)
    for key in binding.key.split(",")
}


class _Answer(Input):
    """An input that handles all keys in their order.

    In Textual's own input, a key that edits passes through the screen first. A letter that is typed
    right after it would be handled before it.
    """

    async def _on_key(self, event: events.Key) -> None:
        action = _ACTIONS.get(event.key)
        if action is None:
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        await self.app.run_action(action, self)


class Prompt(ModalScreen[None], StackedScreen, Generic[_Value]):
    """Asks until `parse` accepts what is typed, which `accept` then gets, or escape is pressed.

    `parse` raises `SettingError` for a bad answer; its text is shown in the place of the hint.
    """

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "Cancel")]
    VERTICAL_BREAKPOINTS = HEIGHTS

    def __init__(
        self,
        question: str,
        hint: str,
        value: str,
        parse: Callable[[str], _Value],
        accept: Callable[[_Value], None],
    ) -> None:
        super().__init__()
        self._question = question
        self._hint = hint
        self._value = value
        self._parse = parse
        self._accept = accept

    def compose(self) -> ComposeResult:
        """The question, the line to type in, and the hint."""
        with Vertical(id="dialog"):
            yield Static(self._question, id="question", markup=False)
            yield _Answer(self._value, id="answer", compact=True)
            yield Static(f"{self._hint}\nenter sets it, esc leaves it", id="hint", markup=False)

    def on_mount(self) -> None:
        """Focus the answer, also while the terminal itself has no focus."""
        self.set_focus(self.query_one("#answer"))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if not self.on_top:
            return  # a second enter, or one before another screen that opened
        hint = self.query_one("#hint", Static)
        try:
            value = self._parse(event.value)
        except SettingError as error:
            hint.update(str(error))
            hint.add_class("wrong")
            return
        self.dismiss()
        self._accept(value)
