"""Frames: how messages and commands are written to a stream, and read from it in any pieces.

A frame is four bytes of length, most significant first, and MessagePack. From a worker that is an
envelope, an array whose last element is the message; to a worker it is the command alone. Messages
and commands are maps with a `type`. Messages without envelopes, as JSON, are the lines of a
headless run. No torch in here.
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
    """The other side sent what this side cannot read."""


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
    """Reads frames from a stream of bytes that arrives in any pieces.

    Made by `from_worker` or `to_worker`. Raises `ProtocolError` at a frame that is too large, and
    at one that holds something else than this direction allows.
    """

    def __init__(self, decoder: msgspec.msgpack.Decoder[_Kinds]) -> None:
        self._decoder = decoder
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[_Kinds]:
        """What the frames hold that `data` completes; it is kept even if this is not iterated."""
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
