"""`vramtop estimate` and `vramtop fit`, run as a user runs them."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from command import all_ends, assert_refused, vramtop

P = 407_080


BAD = [
    (["estimate", "--batch-size", "64,,128"], "whole number"),
    (["estimate", "--batch-size", "0"], "from 1 to 1,000,000,000, not 0"),
    (["estimate", "--batch-size", "16-64"], "whole number"),
    (["estimate", "--format", "jsonl"], "table, json or csv, not 'jsonl'"),
    (["estimate", "--parameters", "0"], "parameters is a whole number"),
    (["estimate", "--parameters", "1e8.5"], "parameters is a whole number"),
    (["estimate", "--parameters", "7B", "--zero", "4"], "zero is a whole number from 1 to 3"),
    (["estimate", "--parameters", "1e8", "--hidden", "3"], "goes without --hidden"),
    (["estimate", "--steps", "3"], "--steps does not belong after estimate"),
    (["estimate", "--device", "cuda:99"], "device cuda:99"),
    (["fit", "--vram", "24 parsecs"], "a size is like 24MiB"),
    (["fit", "--vram", "100KiB"], "does not hold the model"),
    (["fit", "--vram", "1200KiB", "--device", "cpu"], "does not hold a batch of one image"),
    (["fit", "--batch-size", "3"], "--batch-size does not belong after fit"),
]


@pytest.fixture(scope="module")
def ends() -> list[tuple[int, str, str]]:
    """How each of the command lines with bad input ends."""
    return all_ends([arguments for arguments, _ in BAD])


@pytest.mark.parametrize("place", range(len(BAD)), ids=[" ".join(line) for line, _ in BAD])
def test_bad_input_gets_one_line_and_exit_code_2(
    ends: list[tuple[int, str, str]], place: int
) -> None:
    assert_refused(ends[place], BAD[place][1])


def assert_as_the_formula_has_it(first: Any, second: Any, third: Any) -> None:
    """Batches of 64, 4,096 and 128 within 5 MiB, of which the second does not fit."""
    assert first["batch_size"] == 64
    assert first["boundaries"]["load"]["optimizer_state"] == 2 * P + 16
    assert first["formula"]["total"] == 4 * P + 3_136 * 64 + 512 * 64
    assert first["peak"]["phase"] == "optimizer"
    assert first["allocator"] is None
    assert first["device"] == "cpu"
    assert first["step_seconds"] > 0
    assert first["updates_per_epoch"] == 94
    assert second["oom"] is True
    assert second["budget"] == 5 * 2**20 < second["needed"]
    assert third["high_water"]["batch_data"] == 128 * 3_144


def test_a_sweep_goes_on_after_a_size_that_does_not_fit_and_an_estimate_says_the_same() -> None:
    common = ["--batch-size", "64,4096,128", "--vram", "5MiB", "--device", "cpu"]
    predicted = json.loads(vramtop("estimate", *common, "--format", "json").stdout)
    result = vramtop("sweep", *common, "--steps", "3", "--format", "json")
    assert (result.returncode, result.stderr) == (0, "")
    measured = json.loads(result.stdout)
    assert_as_the_formula_has_it(*measured)
    for estimate, row in zip(predicted, measured, strict=True):
        for name in ("step_seconds", "samples_per_second", "loss"):
            assert name not in estimate
        if "needed" in row:
            # A step says what it would have held when it failed, an estimate what it needs.
            assert row.pop("needed") <= estimate.pop("needed")
        assert estimate == {name: row[name] for name in estimate}


def test_an_estimate_counts_updates_and_takes_no_memory_for_a_batch_that_nobody_has() -> None:
    sizes = ("--batch-size", "64,62_500_000", "--accumulate", "16", "--device", "cpu")
    result = vramtop("estimate", *sizes, "--format", "csv")
    assert (result.returncode, result.stderr) == (0, "")
    small, large = csv.DictReader(io.StringIO(result.stdout))
    assert (small["batch_size"], small["accumulation"], small["oom"]) == ("64", "16", "false")
    assert small["updates_per_epoch"] == "6"
    assert small["boundaries.load.gradients"] == str(P)
    assert large["high_water.batch_data"] == str(3_144 * 62_500_000)
    assert (large["updates_per_epoch"], large["oom"]) == ("1", "false")


def test_the_lessons_table_for_a_hundred_million_parameters() -> None:
    result = vramtop("estimate", "--parameters", "1e8")
    assert (result.returncode, result.stderr) == (0, "")
    assert "by the formula" in result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["parameters", "400.0", "MB", "100,000,000", "×", "4", "B"] in lines
    assert [line[:3] for line in lines if line[:1] == ["adam"]] == [
        ["adam", "800.0", "MB"],
        ["adam", "1,600.0", "MB"],
    ]
    rows = json.loads(vramtop("estimate", "--parameters", "1e8", "--format", "json").stdout)
    assert [row["optimizer_state"] for row in rows] == [0, 4 * 10**8, 8 * 10**8, 8 * 10**8]
    assert {row["source"] for row in rows} == {"formula"}


def test_fit_finds_a_size_that_fits_and_proves_that_the_next_does_not() -> None:
    result = vramtop("fit", "--vram", "6MB", "--device", "cpu", "--format", "json")
    assert (result.returncode, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    size = found["max_batch_size"]
    # Adam in a plain loop: the largest of the closed forms of each phase's peak.
    peaks = [
        3 * P + 16 + 3_144 * b + max(1_576 * b + 5_168, P + 40 * b + 4 + 2 * 401_408)
        for b in (size, size + 1)
    ]
    assert [found["peak_at_max"], found["peak_beyond"]] == peaks
    assert peaks[0] <= found["budget"] == 6_000_000 < peaks[1]
    assert found["recommended_batch_size"] == size * 8 // 10
    assert (found["trial_steps"], found["oom_trials"]) == (3, 1)
