"""A file of results has all of one writing at any time."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from vramtop.tui.headless.result_file import ResultFile


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file can become larger than this, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_who_reads_it_sees_one_writing_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "o"
    file = ResultFile(str(path))
    file.write("the first, which is long")
    with path.open() as reader:
        assert reader.read(5) == "the f"
        file.write("second")
        assert reader.read() == "irst, which is long"
    assert path.read_text() == "second"
    assert [each.name for each in tmp_path.iterdir()] == ["o"]


def test_a_writing_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "o"
    file = ResultFile(str(path))
    file.write("before")
    with largest_file(10), pytest.raises(OSError, match="File too large"):
        file.write("longer than ten bytes")
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["o"]


def test_a_link_and_the_permissions_of_a_file_stay(tmp_path: Path) -> None:
    path = tmp_path / "real"
    path.write_text("old")
    path.chmod(0o640)
    (tmp_path / "link").symlink_to(path)
    ResultFile(str(tmp_path / "link")).write("new")
    assert (tmp_path / "link").is_symlink()
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_is_no_file_of_a_disk_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    file = ResultFile(str(pipe))
    assert not file.replaceable
    file.write("the results")
    file.close()
    assert os.read(reader, 100) == b"the results"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_file_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        ResultFile(str(tmp_path))
