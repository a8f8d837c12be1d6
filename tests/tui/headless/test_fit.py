"""What `vramtop fit` prints of a search that has ended."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from made import HELLO, configured
from scripted import Script
from vramtop.protocol.lesson.commands import FindLargest
from vramtop.protocol.lesson.messages import Found, SearchEnded, Timed
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Answer
from vramtop.tui.headless import fit

SPEEDS = (Timed(64, 1e5), Timed(512, 2e5))
MEMORY = Found(4711, 3768, "memory", 2**24, 2**24 - 7, 2**24 + 9, 3, 1, 512, SPEEDS)
DATA = Found(6000, 4800, "data", 2**30, 2**24, None, 2, 0, 512, SPEEDS)

Printed = Callable[[Found, str], Coroutine[Any, Any, str]]


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Printed:
    """What is printed in this form once the search has found this."""

    async def run(found: Found, form: str) -> str:
        worker = Script()
        for message in (HELLO, configured(), SearchEnded(found), Answer(1, None)):
            worker.queue.put_nowait(message)

        async def start(*_: object, **__: object) -> Script:
            return worker

        monkeypatch.setattr(fit, "start_worker", start)
        monkeypatch.setattr(fit, "Interruption", lambda _: SimpleNamespace(came=False))
        assert await fit.fit(Settings(device="cpu"), form) == 0
        assert worker.sent == [FindLargest(1)]
        assert worker.closed
        return capsys.readouterr().out

    return run


async def test_as_csv_it_is_a_line_without_the_lists(printed: Printed) -> None:
    (row,) = csv.DictReader(io.StringIO(await printed(MEMORY, "csv")))
    assert (row["max_batch_size"], row["recommended_batch_size"]) == ("4711", "3768")
    assert (row["limited_by"], row["peak_beyond"]) == ("memory", str(2**24 + 9))
    assert not {"type", "speeds", "no_room", "unmodelled"} & row.keys()


async def test_a_table_says_what_is_the_limit_and_has_the_measured_speeds(printed: Printed) -> None:
    text = await printed(DATA, "table")
    assert "All 6,000 training images fit: the data is the limit, not memory." in text
    assert "200,000 images/s, measured" in text
    text = await printed(MEMORY, "table")
    assert f"4,712 does not fit: it takes at least {2**24 + 9:,} B." in text
    assert "Proved by 3 real steps, 1 of them out of memory." in text
