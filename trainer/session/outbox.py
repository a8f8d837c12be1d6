"""Messages that wait to be sent. A newer sample replaces one that waits."""

from __future__ import annotations

import math
import threading
import time

from vramtop.protocol.messages import PACE_SECONDS
from vramtop.protocol.wire.envelope import Envelope, Stamp
from vramtop.protocol.wire.framing import FromWorker


class Outbox:
    """Hands messages from the training thread to the one that writes them, in order.

    Each message gets an envelope with the time at which it arrives. `began` is when the session
    began, by `time.monotonic()`; None means now.

    A message that is not sent `at_once` waits for one that is, or until `pace` seconds have passed
    since messages were last taken. Waking the reader costs more time than reading a message.

    With `patient`, `offer` drops nothing: it waits while `PATIENT_BACKLOG` messages are unread.
    Then a slow reader slows the training, and the messages do not fill the memory.
    """

    PATIENT_BACKLOG = 4096

    def __init__(self, *, patient: bool = False, began: float | None = None) -> None:
        self.stamp = Stamp(began)
        self._patient = patient
        self._changed = threading.Condition()
        # Insertion order is the order of sending; a replaced message moves to the end.
        self._waiting: dict[int, Envelope[FromWorker]] = {}
        self._latest: dict[type[FromWorker], int] = {}
        self._count = 0
        self._pressing = False
        self._closed = False
        self._taken = -math.inf
        self.pace = PACE_SECONDS

    def post(self, message: FromWorker, *, at_once: bool = True) -> None:
        """Send this message; no later one replaces it."""
        with self._changed:
            self._append(message, at_once=at_once)

    def offer(self, message: FromWorker, *, at_once: bool = True) -> None:
        """Send this unless a newer message of its type comes first."""
        with self._changed:
            if self._patient:
                self._changed.wait_for(
                    lambda: len(self._waiting) < self.PATIENT_BACKLOG or self._closed
                )
            else:
                self._waiting.pop(self._latest.get(type(message), -1), None)
                self._latest[type(message)] = self._count
            self._append(message, at_once=at_once)

    def take(self) -> list[Envelope[FromWorker]]:
        """Wait until messages are to be sent, and return them all; none once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            wait = max(0.0, self._taken + self.pace - time.monotonic())
            self._changed.wait_for(lambda: self._pressing or self._closed, wait)
            self._taken = time.monotonic()
            self._pressing = False
            envelopes = list(self._waiting.values())
            self._waiting.clear()
            self._changed.notify_all()
            return envelopes

    def close(self) -> None:
        """End: no more messages will come, or there is no reader any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _append(self, message: FromWorker, *, at_once: bool) -> None:
        self._pressing = self._pressing or at_once
        self._waiting[self._count] = self.stamp.envelope(message)
        self._count += 1
        self._changed.notify_all()
