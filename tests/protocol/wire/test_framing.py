"""Messages in their frames."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest
from every_message import BOTH, ENVELOPES, FROM_WORKER, SAMPLE, TO_WORKER
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace
from vramtop.protocol.commands import Advance, Stop
from vramtop.protocol.lesson.commands import Change
from vramtop.protocol.lesson.messages import LessonSample
from vramtop.protocol.messages import Note
from vramtop.protocol.wire import framing
from vramtop.protocol.wire.envelope import Envelope, Sender
from vramtop.protocol.wire.framing import MAX_FRAME, FromWorker, ProtocolError, ToWorker


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def test_every_kind_of_message_is_tested_here() -> None:
    assert {type(message) for message in FROM_WORKER} == set(get_args(FromWorker))
    assert {type(message) for message in TO_WORKER} == set(get_args(ToWorker))


@pytest.mark.parametrize(("decoder", "content"), BOTH)
def test_a_message_arrives_as_it_was_sent(decoder: Any, content: Any) -> None:
    assert list(decoder().feed(framing.encode(content))) == [content]


@given(st.lists(st.sampled_from(ENVELOPES), max_size=6), st.data())
def test_messages_arrive_in_order_whatever_pieces_the_stream_comes_in(
    envelopes: list[Envelope[FromWorker]], data: st.DataObject
) -> None:
    stream = b"".join(map(framing.encode, envelopes))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    decoder = framing.from_worker()
    arrived = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        arrived += decoder.feed(stream[start:end])
    assert arrived == envelopes


def test_a_frame_is_complete_with_its_last_byte_only() -> None:
    decoder, frame = framing.to_worker(), framing.encode(Advance(1))
    for index in range(len(frame) - 1):
        assert list(decoder.feed(frame[index : index + 1])) == []
    assert list(decoder.feed(frame[-1:])) == [Advance(1)]


def test_a_frame_begins_with_its_length_most_significant_byte_first() -> None:
    frame = framing.encode(Envelope(Sender("a-host", 7), 1.5, Note("x" * 1000)))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert msgspec.msgpack.decode(frame[4:]) == [
        ["a-host", 7, None, None],
        1.5,
        {"type": "note", "text": "x" * 1000},
    ]


def test_a_change_leaves_out_what_stays() -> None:
    assert msgspec.msgpack.decode(framing.encode(Change(9, hidden=64))[4:]) == {
        "type": "change",
        "command": 9,
        "hidden": 64,
    }


def test_a_change_distinguishes_no_limit_from_an_unchanged_one() -> None:
    (unlimited,) = framing.to_worker().feed(framing.encode(Change(1, budget=None)))
    (unchanged,) = framing.to_worker().feed(framing.encode(Change(1)))
    assert isinstance(unlimited, Change)
    assert isinstance(unchanged, Change)
    assert unlimited.budget is None
    assert unchanged.budget is UNSET


@pytest.mark.parametrize("message", FROM_WORKER)
def test_a_headless_line_is_the_same_message_as_json(message: FromWorker) -> None:
    line = framing.to_json(message)
    assert "\n" not in line
    assert msgspec.json.decode(line, type=FromWorker) == message


def test_a_loss_that_is_no_number_travels_but_is_null_in_json() -> None:
    sample = replace(SAMPLE, loss=math.nan)
    envelope = Envelope(Sender("a-host", 7), 1.5, sample)
    (arrived,) = framing.from_worker().feed(framing.encode(envelope))
    assert isinstance(arrived.message, LessonSample)
    assert arrived.message.loss is not None
    assert math.isnan(arrived.message.loss)
    assert msgspec.json.decode(framing.to_json(sample))["loss"] is None


# ---- what cannot be read ------------------------------------------------------------------------


def test_a_frame_that_is_too_large_is_refused_before_it_arrives() -> None:
    with pytest.raises(ProtocolError, match="a frame of 67,108,865 bytes"):
        list(framing.from_worker().feed((MAX_FRAME + 1).to_bytes(4, "big")))


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"type": "unheard of"},
        {"type": "pause", "command": 1},
        {"type": "pause", "command": "one", "paused": True},
        {"type": "start", "version": 1, "settings": {"optimizer": "lion"}},
        {"type": "start", "version": 1, "settings": {"batch": 1}},
        {"type": "change", "command": 1, "batch_size": 1.5},
        ["stop"],
        None,
    ],
)
def test_a_command_of_another_kind_is_a_protocol_error(content: object) -> None:
    with pytest.raises(ProtocolError, match="an unreadable message: "):
        list(framing.to_worker().feed(framed(msgspec.msgpack.encode(content))))


@pytest.mark.parametrize(
    "content",
    [
        {"type": "note", "text": "a message without its envelope"},
        [],
        [["a-host", 7, None, None], 1.5],
        [["a-host", 7, None, None], 1.5, {"type": "stop"}],
        [["a-host", 7, None, None], "later", {"type": "note", "text": "a note"}],
        [["a-host"], 1.5, {"type": "note", "text": "a note"}],
    ],
)
def test_what_is_no_message_in_an_envelope_is_a_protocol_error(content: object) -> None:
    with pytest.raises(ProtocolError, match="an unreadable message: "):
        list(framing.from_worker().feed(framed(msgspec.msgpack.encode(content))))


def test_messages_do_not_pass_in_the_wrong_direction() -> None:
    note = Envelope(Sender("a-host", 7), 1.5, Note("a note"))
    with pytest.raises(ProtocolError):
        list(framing.to_worker().feed(framing.encode(note)))
    with pytest.raises(ProtocolError):
        list(framing.from_worker().feed(framing.encode(Stop())))


@given(st.binary(max_size=200))
def test_any_bytes_in_a_frame_are_a_message_or_a_protocol_error(body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        (arrived,) = framing.to_worker().feed(framed(body))
        assert isinstance(arrived, get_args(ToWorker))


def test_messages_before_an_unreadable_one_still_arrive() -> None:
    decoder = framing.to_worker()
    arriving = decoder.feed(framing.encode(Advance(1)) + framed(b"\xc1"))
    assert next(arriving) == Advance(1)
    with pytest.raises(ProtocolError):
        next(arriving)


@pytest.mark.parametrize("module", ["messages", "commands", "split"])
def test_messages_and_commands_of_any_program_import_nothing_of_the_lesson(
    module: str, modules_after: Callable[[str], set[str]]
) -> None:
    modules = modules_after(f"import vramtop.protocol.{module}")
    assert "vramtop.protocol.split" in modules
    assert "vramtop.protocol.lesson" not in modules


def test_the_protocol_needs_no_torch(modules_after: Callable[[str], set[str]]) -> None:
    assert "torch" not in modules_after("from vramtop.protocol.wire import framing")
