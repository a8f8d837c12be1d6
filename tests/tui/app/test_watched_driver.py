"""The thread that reads keys, on a pseudo-terminal that the test types into."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from textual.constants import ESCAPE_DELAY
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key
from textual.message import Message
from vramtop.tui.app.ending import Ending
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.app.watched_driver import watched

LATEST = 30  # seconds
_HANDLED = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH, signal.SIGTTOU, signal.SIGTTIN)


class Keyboard:
    """The far end of the terminal.

    `keys` are those that were heard, `waits` how many seconds each wait for more was to last.
    """

    def __init__(self, far: int) -> None:
        self._far = far
        self._changed = threading.Condition()
        self.keys: list[str] = []
        self.waits: list[float | None] = []

    def type(self, text: str) -> None:
        os.write(self._far, text.encode())

    def hear(self, key: str) -> None:
        with self._changed:
            self.keys.append(key)
            self._changed.notify_all()

    def waiting(self, wait: Callable[..., Any]) -> Callable[..., Any]:
        """The function `wait`, noted at each call."""

        def noted(*arguments: Any) -> Any:
            with self._changed:
                self.waits.append(arguments[3])
                self._changed.notify_all()
            return wait(*arguments)

        return noted

    def until_heard(self, *keys: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.keys == [*keys], LATEST), self.keys

    def until_it_rests(self) -> None:
        """Wait until the last wait is one without an end."""
        with self._changed:
            rests = self._changed.wait_for(lambda: self.waits and self.waits[-1] is None, LATEST)
        assert rests, self.waits


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyboard]:
    """What types into standard input, and notes each wait for more."""
    far, near = pty.openpty()
    handlers = {number: signal.getsignal(number) for number in _HANDLED}
    with os.fdopen(near) as terminal:
        keyboard = Keyboard(far)
        monkeypatch.setattr(sys, "__stdin__", terminal)
        monkeypatch.setattr(select, "select", keyboard.waiting(select.select))
        yield keyboard
    os.close(far)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@contextmanager
def reading(app: VramtopApp, keyboard: Keyboard) -> Iterator[LinuxDriver]:
    """A driver that reads what is typed and tells the keyboard each key."""

    class Telling(watched(app, Ending(lambda: None))):  # type: ignore[misc]
        def process_message(self, message: Message) -> None:
            assert isinstance(message, Key)
            keyboard.hear(message.key)

        def write(self, data: str) -> None:
            """Draw nothing: only what is read counts here."""

    driver = Telling(app)
    driver.start_application_mode()
    try:
        yield driver
    finally:
        driver.stop_application_mode()  # returns once the thread has ended
        driver.close()


async def test_it_waits_for_ever_while_nothing_is_typed(
    app: VramtopApp, keyboard: Keyboard
) -> None:
    with reading(app, keyboard):
        keyboard.type("a")
        keyboard.until_heard("a")
        keyboard.until_it_rests()
    assert keyboard.waits == [None, ESCAPE_DELAY, None]


async def test_an_escape_without_more_is_the_key(app: VramtopApp, keyboard: Keyboard) -> None:
    with reading(app, keyboard):
        keyboard.type("\x1b")
        keyboard.until_heard("escape")
        keyboard.type("\x1b[A")
        keyboard.until_heard("escape", "up")
    assert keyboard.keys == ["escape", "up"]


async def test_it_ends_while_it_rests_and_begins_again(app: VramtopApp, keyboard: Keyboard) -> None:
    with reading(app, keyboard) as driver:
        keyboard.until_it_rests()
        driver.suspend_application_mode()
        assert "textual-input" not in {thread.name for thread in threading.enumerate()}
        driver.start_application_mode()
        keyboard.type("a")
        keyboard.until_heard("a")
