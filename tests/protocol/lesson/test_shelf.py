"""The shelf: whatever happens to a write, the latest whole snapshot stays."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import pytest
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.lesson.shelf import Kept, Shelf

DIE_WHILE_WRITING = """
import os, signal, sys
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.lesson.shelf import Kept, Shelf

def write(file):
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

Shelf([int(file) for file in sys.argv[1:]]).put(Kept(Settings(), 7, 448), write)
"""


@pytest.fixture
def shelf():
    shelf = Shelf.make()
    yield shelf
    shelf.close()


def put(shelf, steps, content):
    shelf.put(Kept(Settings(seed=steps), steps, 64 * steps), lambda file: file.write(content))


def content(shelf):
    kept = shelf.latest()
    with shelf.open(kept) as file:
        return kept.steps, kept.settings.seed, file.read()


def test_an_empty_shelf_has_nothing(shelf):
    assert shelf.latest() is None


def test_the_latest_snapshot_stands_however_long_the_ones_before_were(shelf):
    for steps, written in [(1, b"one"), (2, b"a longer one" * 9), (30_000, b"x"), (4, b"four")]:
        put(shelf, steps, written)
        assert content(shelf) == (steps, steps, written)


def test_a_write_that_fails_leaves_the_snapshot_before_it(shelf):
    def fail(file):
        file.write(b"half")
        raise OSError("no space")

    put(shelf, 1, b"one")
    for _ in range(2):
        with pytest.raises(OSError, match="no space"):
            shelf.put(Kept(Settings(), 2, 128), fail)
        assert content(shelf) == (1, 1, b"one")


def test_a_writer_that_is_killed_leaves_the_snapshot_before_it(shelf):
    put(shelf, 1, b"one")
    files = [str(file) for file in shelf.files]
    writer = [sys.executable, "-c", DIE_WHILE_WRITING, *files]
    assert subprocess.run(writer, pass_fds=shelf.files, check=False).returncode == -9
    assert content(shelf) == (1, 1, b"one")


def test_no_file_has_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    named = Shelf.make()
    put(named, 1, b"one")
    assert list(tmp_path.iterdir()) == []
    assert {os.fstat(file).st_nlink for file in named.files} == {0}
    named.close()


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="no such files in memory here")
def test_without_a_folder_for_files_the_snapshots_are_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    shelf = Shelf.make()
    put(shelf, 1, b"one")
    assert content(shelf) == (1, 1, b"one")
    shelf.close()
