"""Recordings: what a file contains, and the message about one that is damaged."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from vramtop.protocol.gpus import Gpu, GpusReport
from vramtop.protocol.lesson.messages import Evaluated
from vramtop.protocol.messages import VERSION, Note
from vramtop.protocol.split import Split
from vramtop.protocol.wire.envelope import Envelope, Sender
from vramtop.protocol.wire.recording import FORMAT, Reader, Recorded, RecordingError, Writer

WORKER, MONITOR = Sender("a-host", 7, 0, "cuda:0"), Sender("a-host", 3)
SAID: list[Envelope[Recorded]] = [
    Envelope(MONITOR, 0.125, GpusReport((Gpu(0, instances=(Gpu(1),)),))),
    Envelope(WORKER, 0.5, Note("a note")),
    Envelope(WORKER, 0.75, Evaluated(1, math.nan, 0.1, 1_000, 1_000, Split())),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a-recording"
    with Writer(file) as writer:
        for envelope in SAID:
            writer.write(envelope)
    return file


def change(path: Path, number: int, line: str) -> None:
    """Put another line in the place of one; they count from 1."""
    lines = path.read_text().splitlines()
    lines[number - 1] = line
    path.write_text("".join(f"{line}\n" for line in lines))


def test_the_header_comes_first_and_every_other_line_is_an_envelope(path: Path) -> None:
    header, *lines = map(json.loads, path.read_text().splitlines())
    assert header == {"vramtop_recording": FORMAT, "protocol": VERSION, "vramtop": "0.1.0"}
    assert lines[1] == [["a-host", 7, 0, "cuda:0"], 0.5, {"type": "note", "text": "a note"}]
    assert [line[2]["type"] for line in lines] == ["gpus", "note", "evaluated"]


def test_a_recording_can_be_read_twice(path: Path) -> None:
    recording = Reader(path)
    assert [envelope.seconds for envelope in recording] == [0.125, 0.5, 0.75]
    assert [envelope.sender for envelope in recording] == [MONITOR, WORKER, WORKER]


def test_a_recording_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    with Writer(tmp_path / "a-recording") as writer:
        for count, envelope in enumerate(SAID, 1):
            writer.write(envelope)
            assert len(list(Reader(tmp_path / "a-recording"))) == count


def test_a_new_recording_replaces_what_was_there(path: Path) -> None:
    Writer(path).close()
    assert list(Reader(path)) == []


# ---- what is refused ----------------------------------------------------------------------------


def test_another_format_is_refused_whatever_else_its_header_says(path: Path) -> None:
    change(path, 1, f'{{"vramtop_recording":{FORMAT + 1}}}')
    message = f"{path} is a recording of format {FORMAT + 1}; this vramtop reads format {FORMAT}"
    with pytest.raises(RecordingError) as refused:
        Reader(path)
    assert str(refused.value) == message


@pytest.mark.parametrize("protocol", [VERSION - 1, VERSION + 1])
def test_another_protocol_is_refused_with_the_vramtop_that_spoke_it(
    path: Path, protocol: int
) -> None:
    header = {"vramtop_recording": FORMAT, "protocol": protocol, "vramtop": "0.0.9"}
    change(path, 1, json.dumps(header))
    with pytest.raises(RecordingError) as refused:
        Reader(path)
    message = f"{path} was recorded by vramtop 0.0.9 and speaks protocol {protocol}, not {VERSION}"
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b'{"vramtop_recor',
        b"[]\n",
        b'{"vramtop_recording":"one"}\n',
        b'{"vramtop_recording":%d,"protocol":%d}\n' % (FORMAT, VERSION),
        b'{"type":"note","text":"a line of a headless run"}\n',
        b"\x89PNG\r\n\x1a\n\0\0\0",
        bytes(range(256)) * 100,
    ],
)
def test_a_file_of_another_kind_is_no_recording(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a-file"
    file.write_bytes(content)
    with pytest.raises(RecordingError) as refused:
        Reader(file)
    assert str(refused.value) == f"{file} is no recording of vramtop"


@pytest.mark.parametrize(
    "line",
    [
        '{"type":"note","text":"without its envelope"}',
        '[["a-host",7,0,null],0.5,{"type":"unheard of"}]',
        '[["a-host",7,0,null],0.5,{"type":"pause","command":1,"paused":true}]',
        '[["a-host",7,0,nu',
        "",
    ],
)
def test_a_line_that_holds_no_envelope_is_named(path: Path, line: str) -> None:
    change(path, 3, line)
    reading = iter(Reader(path))
    assert next(reading) == SAID[0]
    with pytest.raises(RecordingError) as refused:
        next(reading)
    assert str(refused.value).startswith(f"{path}, line 3: ")
    assert "\n" not in str(refused.value)


def test_a_last_line_that_is_cut_off_is_reported_and_the_others_are_read(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])
    recording = Reader(path)
    assert list(recording) == SAID[:2]
    assert recording.cut_off == f"{path} is cut off in line 4"


def test_a_whole_last_line_of_another_kind_is_not_taken_for_one_that_is_cut_off(
    path: Path,
) -> None:
    with path.open("a") as file:
        file.write('[["a-host",7,0,null],0.5,{"type":"unheard of"}]')
    with pytest.raises(RecordingError, match="line 5: Invalid value 'unheard of'"):
        list(Reader(path))
