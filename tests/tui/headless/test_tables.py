"""The tables of a headless run and of a sweep: no figure is cut in any terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest
from made import HELLO, P, configured, measured, out_of_memory, sample
from msgspec.structs import replace
from rich.table import Table
from rich.text import Text
from vramtop.protocol.lesson.messages import Evaluated
from vramtop.protocol.messages import Layer
from vramtop.protocol.split import AllocatorMemory, Reading, Split
from vramtop.tui.headless.rows import OutOfMemoryRow, Row, make_row
from vramtop.tui.headless.run import Run
from vramtop.tui.headless.summary import heading, out_of_memory_line, summaries
from vramtop.tui.headless.sweep_table import tables
from vramtop.tui.terminal.output import show

Print = Callable[..., list[str]]

TITLE = f"{configured().data.description}\n{heading(configured())}"


class _Terminal(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Print:
    """The lines that are shown in a terminal with this many columns, or without one."""
    monkeypatch.setenv("TERM", "dumb")  # no colours

    def lines(*forms: list[Text | Table], columns: int | None = None) -> list[str]:
        stdout = _Terminal(terminal=columns is not None)
        monkeypatch.setenv("COLUMNS", str(columns or 20))
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stdout)
            show(*forms)
        return stdout.getvalue().splitlines()

    return lines


def run_of(batch_size: int = 64) -> Run:
    run = Run()
    for message in (
        HELLO,
        configured(batch_size=batch_size),
        measured(batch_size),
        sample(batch_size * 10, batch_size=batch_size),
        Evaluated(1, 0.3, 0.9, 1000, 1000, Split(parameters=P)),
    ):
        run.add(message)
    return run


def numbers(lines: list[str]) -> set[str]:
    """All figures with thousands in them."""
    return {word for line in lines for word in line.split() if word.replace(",", "").isdigit()}


@pytest.mark.parametrize("batch_size", [1, 64, 6_000, 50_000])
def test_a_summary_shows_the_same_figures_in_80_columns_as_without_a_terminal(
    batch_size: int, printed: Print
) -> None:
    forms = summaries(run_of(batch_size))
    wide, narrow = printed(*forms), printed(*forms, columns=80)
    assert max(map(len, narrow)) <= 80
    assert numbers(wide) == numbers(narrow)
    assert "…" not in "".join(wide + narrow)


def test_a_summary_begins_with_what_was_trained_and_its_layers(printed: Print) -> None:
    lines = printed(*summaries(run_of()), columns=80)
    assert lines[:2] == ["MNIST sample", "batch 64 · adam · lr 0.001 · hidden 128 · cpu"]
    assert lines[3].split() == ["layer", "output", "shape", "parameters", "bytes"]
    assert lines[4].split() == ["MLP", "64", "×", "10", "101,770", "407,080"]
    assert lines[5].split() == ["Total", "101,770", "407,080"]


def test_a_summary_of_layers_sums_them(printed: Print) -> None:
    run = run_of()
    assert run.configured is not None
    (layer,) = run.configured.layers
    more = (layer, Layer("ReLU", (2, 3), 0, 0, "ReLU", 0, 0), layer)
    run.configured = replace(run.configured, layers=more)
    lines = printed(*summaries(run))
    assert lines[5].split() == ["ReLU", "64", "×", "2", "×", "3", "0", "0"]
    assert lines[7].split() == ["Total", "203,540", f"{2 * P:,}"]


def test_what_was_evaluated_unseen_claims_no_bytes(printed: Print) -> None:
    run = run_of()
    run.add(Evaluated(2, 0.3, 0.9, 1000, 1000, None))
    assert printed(*summaries(run))[-1] == "Test data after epoch 2: accuracy 90.0%, loss 0.3000"


def test_a_sweep_is_a_line_a_size_or_a_block_each_in_80_columns(printed: Print) -> None:
    rows = [make_row([run_of(64)]), OutOfMemoryRow(4096, True, 2_631_001, 2_631_000)]
    forms = tables(TITLE, rows)
    wide, narrow = printed(*forms, columns=141), printed(*forms, columns=80)
    for lines in (wide, narrow, printed(*forms)):
        assert lines[:2] == ["MNIST sample", "adam · lr 0.001 · hidden 128 · cpu"]
        assert "at least 2,631,001 B of 2,631,000 B" in lines[-1]
        assert max(map(len, lines)) <= 141
        assert "…" not in "".join(lines)
    assert max(map(len, narrow)) <= 80
    assert wide[4].split()[:4] == ["64", "397.5", "KiB", "397.5"]
    assert wide[5].split() == ["4,096", *"–" * 13]
    assert narrow[3].split()[:5] == ["batch", "64", "params", "397.5", "KiB"]
    assert printed(*forms) == wide


def test_a_sweep_shows_what_the_test_data_said(printed: Print) -> None:
    lines = printed(*tables(TITLE, [make_row([run_of(64)])]))
    assert lines[3].split()[-6:] == ["test", "loss", "accuracy", "step", "images/s", "upd/epoch"]
    assert lines[4].split()[-6:-4] == ["0.3000", "90.00%"]


def test_repeats_are_medians_in_the_table_and_a_spread_below_it(printed: Print) -> None:
    runs = [run_of(64) for _ in range(3)]
    for run, loss, seconds in zip(runs, (0.5, 0.2, 0.3), (3e-3, 1e-3, 2e-3), strict=True):
        run.add(Evaluated(2, loss, 1 - loss, 1000, 1000, None))
        run.step_seconds = [seconds]
    forms = tables(TITLE, [make_row(runs), OutOfMemoryRow(4096, True, 2, 1)])
    for columns in (80, 200):
        lines = printed(*forms, columns=columns)
        assert max(map(len, lines)) <= columns
        spread = next(at for at, line in enumerate(lines) if "repeats" in line)
        assert lines[spread + 1].split() == [
            *("64", "0.2000…0.5000", "50.00%…80.00%"),
            *("1.00", "ms…3.00", "ms", "21,333…64,000"),
        ]
        above = "\n".join(lines[:spread])
        assert "0.3000" in above
        assert "70.00%" in above
        assert "2.00 ms" in above


def test_a_long_step_is_given_in_seconds(printed: Print) -> None:
    run = run_of()
    run.step_seconds = [83.5]
    text = "\n".join(printed(*tables(TITLE, [make_row([run])])))
    assert "83.50 s" in text
    assert " ms" not in text


@pytest.mark.parametrize(
    ("needed", "limit", "line"),
    [
        (2**24, 2**23, "batch 64 is out of memory in load: at least 16.0 MiB of 8.00 MiB"),
        (2**23 + 1, 2**23, "at least 8,388,609 B of 8,388,608 B"),
        (None, None, "batch 64 ran out of memory in load: CUDA out of memory."),
    ],
)
def test_an_out_of_memory_has_two_figures_that_differ(
    needed: int | None, limit: int | None, line: str
) -> None:
    failed = out_of_memory(
        batch_size=64, needed=needed, limit=limit, phase="load", detail="CUDA out of memory."
    )
    assert line in out_of_memory_line(failed)


def test_an_allocator_adds_a_line(printed: Print) -> None:
    run = run_of()
    assert run.measured is not None
    readings = dict.fromkeys(("load", "forward", "backward", "optimizer", "zero_grad"))
    memory = AllocatorMemory(
        {phase: Reading(1_000, 1_024) for phase in readings}, 2_048, 0, 1_024, 1_000, 512, 0, 0
    )
    run.measured = replace(run.measured, allocator=memory)
    row = make_row([run])
    assert isinstance(row, Row)
    assert row.allocator == memory
    assert any("cache 1,024 B, reserved 2,048 B" in line for line in printed(*summaries(run)))
