"""The rows of a sweep as CSV."""

from __future__ import annotations

import csv
import io

from made import P, configured, measured, out_of_memory, sample
from msgspec.structs import replace
from vramtop.protocol.lesson.messages import Evaluated, Noise, WouldFit
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.split import CATEGORIES, PHASES
from vramtop.tui.headless.rows import GradientNoise, OutOfMemoryRow, Range, Row, make_row, to_csv
from vramtop.tui.headless.run import Run

SHORT = OutOfMemoryRow(4096, True, 13_000_000, 2**23)


def run_of(seed: int = 42) -> Run:
    run = Run()
    for message in (configured(seed=seed), measured(), sample()):
        run.add(message)
    return run


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_columns_are_the_same_whatever_fits() -> None:
    texts = [to_csv(Row, rows) for rows in ([make_row([run_of()])], [SHORT], [])]
    assert len({text.partition("\n")[0] for text in texts}) == 1
    header = texts[0].partition("\n")[0].split(",")
    assert header[:5] == ["dataset", "data", "optimizer", "device", "batch_size"]
    assert [f"boundaries.{phase}.{name}" for phase in PHASES for name in CATEGORIES] == [
        column for column in header if column.startswith("boundaries.")
    ]
    assert "peak.split.parameters" in header
    assert "allocator.boundaries.load.requested" in header
    assert header[-9:-3] == ["oom", "needed", "budget", "phase", "operator", "would_fit"]
    assert header[-3:] == ["at_best", "unmodelled", "killed"]
    assert len(header) == len(set(header))


def test_truth_is_in_lower_case_and_bytes_are_whole_numbers() -> None:
    row, short = read(to_csv(Row, [make_row([run_of()]), SHORT]))
    assert (row["oom"], row["needed"], row["peak.bytes"]) == ("false", "", str(measured_peak()))
    assert (short["oom"], short["needed"], short["budget"]) == ("true", "13000000", "8388608")
    assert row["high_water.parameters"] == str(P)
    assert row["allocator.reserved"] == ""


def test_repeats_are_one_row_of_medians_and_their_spread() -> None:
    runs = [run_of(seed) for seed in (7, 8, 9)]
    for run, loss in zip(runs, (0.5, 0.2, 0.3), strict=True):
        run.add(Evaluated(1, loss, 0.9, 1000, 1000, None))
    row = make_row(runs)
    assert isinstance(row, Row)
    assert (row.seed, row.repeats, row.test_loss, row.test_accuracy) == (7, 3, 0.3, 0.9)
    assert row.spread is not None
    assert row.spread.test_loss == Range(0.2, 0.5)
    (line,) = read(to_csv(Row, [row]))
    assert (line["spread.test_loss.low"], line["spread.test_loss.high"]) == ("0.2", "0.5")
    assert (line["step_seconds"], line["learning_rate"]) == ("0.001", "0.001")


def test_bytes_are_those_of_the_first_settled_step() -> None:
    """Later ones differ by what the allocator took for something else meanwhile."""
    run, first = Run(), measured()
    unsettled = measured(settled=False)
    for message in (configured(), unsettled, first, replace(first, step=900), sample()):
        run.add(message)
    assert run.measured is first


def test_the_noise_is_that_of_the_run_with_the_most_estimates() -> None:
    runs = [run_of(seed) for seed in (7, 8, 9)]
    runs[0].add(Noise(5, 64, 1, 3.0, -1.0, None, None, None, None))
    runs[1].add(Noise(900, 64, 12, 8.0, 0.04, 200.0, 150.0, 300.0, None))
    row = make_row(runs)
    assert isinstance(row, Row)
    assert row.gradient_noise == GradientNoise(12, 8.0, 0.04, 200.0, 150.0, 300.0)
    (line,) = read(to_csv(Row, [row]))
    assert line["gradient_noise.scale"] == "200.0"
    (line,) = read(to_csv(Row, [make_row([run_of()])]))
    assert line["gradient_noise.scale"] == ""


def test_one_run_has_no_spread() -> None:
    (line,) = read(to_csv(Row, [make_row([run_of()])]))
    assert {line[name] for name in line if name.startswith("spread.")} == {""}
    assert (line["repeats"], line["test_loss"], line["steps"]) == ("1", "", "10")


def test_a_size_that_did_not_fit_with_every_seed_does_not_fit() -> None:
    short = run_of(8)
    short.add(out_of_memory(batch_size=64, needed=13, limit=12, phase="load", operator=""))
    short.add(WouldFit(Settings(), 12, 7))
    assert make_row([run_of(), short]) == OutOfMemoryRow(64, True, 13, None, "load", "", 7)


def measured_peak() -> int:
    return measured().anatomy.peak.bytes
