"""Frames: messages and commands in a stream of bytes.

A frame is a length of four bytes, most significant first, and a body in MessagePack. A worker sends
envelopes: arrays whose last element is the message. A worker receives plain commands. Messages and
commands are maps with a `type`. A headless run prints messages as JSON, without envelopes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar, Union

import msgspec
from vramtop.protocol.commands import Advance, GiveBack, Pace, Pause, SlowMotion, Stop
from vramtop.protocol.lesson.commands import (
    CallOff,
    Change,
    Compare,
    FindLargest,
    GoOn,
    HandOver,
    Predict,
    Reset,
    ShowImage,
    Start,
)
from vramtop.protocol.lesson.messages import (
    Compared,
    Comparing,
    ComparisonEnded,
    Configured,
    Evaluated,
    LessonEnded,
    LessonMeasured,
    LessonOutOfMemory,
    LessonSample,
    Noise,
    Picture,
    Predicted,
    SearchEnded,
    Timed,
    Tried,
    Trying,
    WouldFit,
)
from vramtop.protocol.messages import (
    Answer,
    Ended,
    Failed,
    Flow,
    Hello,
    Measured,
    Note,
    OutOfMemory,
    Program,
    Sample,
)

from .envelope import Envelope

MAX_FRAME = 64 * 2**20
_LENGTH = 4

FromWorker = Union[
    Hello,
    Program,
    Configured,
    Sample,
    LessonSample,
    Measured,
    LessonMeasured,
    Evaluated,
    Noise,
    OutOfMemory,
    LessonOutOfMemory,
    WouldFit,
    Predicted,
    Trying,
    Tried,
    Timed,
    SearchEnded,
    Comparing,
    Compared,
    ComparisonEnded,
    Flow,
    Answer,
    Note,
    Picture,
    Failed,
    Ended,
    LessonEnded,
]
ToWorker = Union[
    Start,
    Change,
    Pause,
    Advance,
    SlowMotion,
    Reset,
    GiveBack,
    ShowImage,
    Predict,
    FindLargest,
    Compare,
    CallOff,
    Pace,
    HandOver,
    GoOn,
    Stop,
]


class ProtocolError(Exception):
    """The other side sent bytes that are no message of this protocol."""


_Kinds = TypeVar("_Kinds")
_encoder = msgspec.msgpack.Encoder()


def encode(content: Envelope[FromWorker] | ToWorker) -> bytes:
    """One frame."""
    body = _encoder.encode(content)
    return len(body).to_bytes(_LENGTH, "big") + body


def to_json(message: FromWorker) -> str:
    """One line of JSON, without its newline."""
    return msgspec.json.encode(message).decode()


class Decoder(Generic[_Kinds]):
    """Reads frames from a stream of bytes that arrives in pieces of any size.

    Made by `from_worker` or `to_worker`. Raises `ProtocolError` for a frame that is too large, and
    for one whose content this direction does not allow.
    """

    def __init__(self, decoder: msgspec.msgpack.Decoder[_Kinds]) -> None:
        self._decoder = decoder
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[_Kinds]:
        """The contents of the frames that `data` completes. `data` is kept without iteration."""
        self._pending += data
        return self._complete()

    def _complete(self) -> Iterator[_Kinds]:
        while len(self._pending) >= _LENGTH:
            size = int.from_bytes(self._pending[:_LENGTH], "big")
            if size > MAX_FRAME:
                raise ProtocolError(f"a frame of {size:,} bytes; at most {MAX_FRAME:,} are allowed")
            if len(self._pending) < _LENGTH + size:
                return
            body = bytes(self._pending[_LENGTH : _LENGTH + size])
            del self._pending[: _LENGTH + size]
            try:
                yield self._decoder.decode(body)
            except msgspec.DecodeError as error:
                raise ProtocolError(f"an unreadable message: {error}") from error


def from_worker() -> Decoder[Envelope[FromWorker]]:
    """A decoder for the monitor's end."""
    decoder: Any = msgspec.msgpack.Decoder(Envelope[FromWorker])
    return Decoder(decoder)


def to_worker() -> Decoder[ToWorker]:
    """A decoder for the worker's end."""
    decoder: Any = msgspec.msgpack.Decoder(ToWorker)
    return Decoder(decoder)
