"""The envelope around every message: who sent it, and when.

Several processes can take part in a session. Their messages are told apart by the sender and put
in order by the time. No torch.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Generic, TypeVar

import msgspec
from msgspec.structs import replace

_Message = TypeVar("_Message")
_Content_co = TypeVar("_Content_co", covariant=True)


class Sender(msgspec.Struct, frozen=True, array_like=True):
    """A process that sends messages.

    `rank` is its number in a distributed training, else None. `device` is the name of the device
    that it computes on; None before it has chosen one, and for a process that does not compute.
    """

    host: str
    pid: int
    rank: int | None = None
    device: str | None = None


class Envelope(msgspec.Struct, Generic[_Content_co], frozen=True, array_like=True):
    """A message with its sender, and the seconds from the session's start until it was sent.

    The seconds of one sender never decrease.
    """

    sender: Sender
    seconds: float
    message: _Content_co


class Stamp:
    """Makes the envelopes of this process.

    `began` is when the session began, by `time.monotonic()`; None means now. Python's monotonic
    clock is the same in all processes of a machine, so they can share this number.
    """

    def __init__(self, began: float | None = None) -> None:
        self.began = time.monotonic() if began is None else began
        self.sender = Sender(socket.gethostname(), os.getpid())

    def choose_device(self, device: str) -> None:
        """Name the device in all envelopes from now on."""
        self.sender = replace(self.sender, device=device)

    def envelope(self, message: _Message) -> Envelope[_Message]:
        """An envelope with the present time."""
        return Envelope(self.sender, time.monotonic() - self.began, message)
