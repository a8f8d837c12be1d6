"""Every message in an envelope, with any values: what is written is what is read."""

from __future__ import annotations

import functools
import math
import tempfile
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect
from vramtop.protocol.gpus import GpusReport
from vramtop.protocol.wire import framing
from vramtop.protocol.wire.envelope import Envelope
from vramtop.protocol.wire.framing import FromWorker
from vramtop.protocol.wire.recording import Reader, Recorded, Writer

# Words that a lenient reader could take for something else.
TEXTS = st.text(max_size=4) | st.sampled_from(["nan", "inf", "null", "true", "1", "é\n漢"])
FLOATS = st.sampled_from([math.nan, math.inf, -math.inf, -0.0]) | st.floats(allow_nan=False)
LIMITS = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def values(of: inspect.Type) -> st.SearchStrategy[Any]:
    """Any values of a type that messages consist of."""
    match of:
        case inspect.NoneType():
            return st.none()
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            return st.integers(-(2**63), 2**63 - 1)
        case inspect.FloatType():
            return FLOATS
        case inspect.StrType():
            return TEXTS
        case inspect.BytesType():
            return st.binary(max_size=4)
        case inspect.LiteralType(values=words):
            return st.sampled_from(words)
        case inspect.UnionType(types=types):
            return st.one_of(*map(values, types))
        case inspect.VarTupleType(item_type=item):
            most = 1 if isinstance(item, inspect.StructType) else 2
            return st.lists(values(item), max_size=most).map(tuple)
        case inspect.TupleType(item_types=items):
            return st.tuples(*map(values, items))
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(values(key), values(value), max_size=2)
        case inspect.StructType(cls=cls):
            return st.deferred(lambda: structs(cls))  # a GPU consists of GPUs
    raise AssertionError(f"no values are known for {of}")


@functools.cache
def structs(cls: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    of = inspect.type_info(cls)
    assert isinstance(of, inspect.StructType)
    return st.builds(cls, **{field.name: values(field.type) for field in of.fields})


def envelopes(*messages: type) -> st.SearchStrategy[Envelope[Any]]:
    """Envelopes around any of these messages."""
    sender = inspect.type_info(Envelope[FromWorker]).fields[0].type  # type: ignore[attr-defined]
    content = st.one_of(*map(structs, messages))
    return st.builds(Envelope, values(sender), st.floats(0, 1e9), content)


def same(one: list[Envelope[Any]], other: list[Envelope[Any]]) -> bool:
    """Whether they are equal; a loss that is no number equals itself."""
    return repr(one) == repr(other)


@pytest.mark.parametrize("kind", get_args(Recorded))
@LIMITS
@given(data=st.data())
def test_every_message_is_read_as_it_was_written(kind: type, data: st.DataObject) -> None:
    said = data.draw(st.lists(envelopes(kind), min_size=1, max_size=2))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a-recording"
        with Writer(path) as writer:
            for envelope in said:
                writer.write(envelope)
        recording = Reader(path)
        assert same(list(recording), said)
        assert recording.cut_off is None
    if kind is not GpusReport:  # no worker sends it
        frames = b"".join(map(framing.encode, said))
        assert same(list(framing.from_worker().feed(frames)), said)


@LIMITS
@given(said=st.lists(envelopes(*get_args(Recorded)), max_size=8), bytes_left=st.floats(0, 1))
def test_complete_lines_of_a_recording_are_read_wherever_it_is_cut(
    said: list[Envelope[Any]], bytes_left: float
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a-recording"
        with Writer(path) as writer:
            header = path.stat().st_size
            for envelope in said:
                writer.write(envelope)
        whole = path.read_bytes()
        kept = whole[: header + round(bytes_left * (len(whole) - header))]
        path.write_bytes(kept)
        recording = Reader(path)
        read = list(recording)
    lines = kept.count(b"\n") - 1
    last = kept.rpartition(b"\n")[2]
    assert len(read) in (lines, lines + 1)  # a line may lack nothing but its end
    assert same(read, said[: len(read)])
    assert (recording.cut_off is not None) == (last != b"" and len(read) == lines)
