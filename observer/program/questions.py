"""Questions of monitors who holds the memory at some addresses."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import torch

from .holders import holders
from .main_thread import MainThread
from .numbers import Numbers

PATIENCE_SECONDS = 1.0


class Questions:
    """Are answered in the program's main thread, so that the program frees nothing meanwhile.

    Where that thread runs no Python code, as while it waits, the observer's own thread answers.
    `spend` is told how many seconds each answer took, which is time of watching.
    """

    def __init__(
        self,
        send: Callable[[dict[str, object]], None],
        numbers: Numbers,
        spend: Callable[[float], None],
    ) -> None:
        self._send, self._numbers, self._spend = send, numbers, spend
        self._asked: deque[tuple[float, str, list[int]]] = deque()
        self._main_thread = MainThread(self._answer)

    def ask(self, device: str, addresses: list[int]) -> None:
        """Answer this soon."""
        self._asked.append((time.monotonic(), device, addresses))
        self._main_thread.ask()

    def look(self) -> None:
        """Answer what waits for long, in this thread."""
        if self._asked and time.monotonic() - self._asked[0][0] > PATIENCE_SECONDS:
            self._answer()

    def forget(self) -> None:
        """Nobody waits for answers any more."""
        self._asked.clear()

    def _answer(self) -> None:
        while self._asked:
            with suppress(IndexError):  # another thread has taken it
                _, device, addresses = self._asked.popleft()
                began = time.perf_counter()
                found: dict[int, str] = {}
                with suppress(Exception):  # a program without names is as good as it was
                    found = self._holders(device, addresses)
                self._spend(time.perf_counter() - began)
                named = [[address, found.get(address, "")] for address in addresses]
                self._send({"type": "holders", "device": device, "holders": named})

    def _holders(self, device: str, addresses: list[int]) -> dict[int, str]:
        where = torch.device(device)
        if where.type == "cuda":
            return holders(where, addresses)
        pointers = self._numbers.pointers()
        known = {number: pointers[number] for number in addresses if number in pointers}
        found = holders(where, list(known.values()))
        return {number: found.get(pointer, "") for number, pointer in known.items()}
