"""`vramtop diff`: what changed between two results, for people, for scripts and for CI."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from said import OBSERVED, PROGRESS, inference, rank, training
from vramtop.accounting.program.compared import Comparison, compared
from vramtop.protocol.lesson.settings import SettingError
from vramtop.protocol.observed.program import ProgramReport
from vramtop.protocol.observed.record import Input, Observed, WatchedStep
from vramtop.protocol.observed.report import Layer
from vramtop.tui.headless.diff import diff, read
from vramtop.tui.headless.diff_table import page
from vramtop.tui.programs.programs import Program
from vramtop.tui.terminal.output import drawn

TRAINED = (training(),)  # 1,450 B at the peak, 300 of them activations


def result(*steps: WatchedStep, observed: Observed = OBSERVED) -> list[ProgramReport]:
    program = Program(observed)
    for message in (*steps, PROGRESS):
        program.add(message)
    return program.reports()


def larger() -> WatchedStep:
    """The same training at a larger batch."""
    return replace(training(kept=345), inputs=(Input("float32", (6, 5)), Input("int64", (6,))))


def write(path: Path, reports: Sequence[ProgramReport]) -> str:
    path.write_bytes(msgspec.json.encode(reports))
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """The results of a training and of the same one at a larger batch."""
    before = write(tmp_path / "before.json", result(*TRAINED, inference()))
    return before, write(tmp_path / "after.json", result(larger(), inference()))


def lines(found: Comparison) -> list[list[str]]:
    return [line.split() for line in drawn(io.StringIO(), page(found)).splitlines()]


def test_each_category_has_its_bytes_at_the_peak_before_and_after() -> None:
    text = lines(compared(result(*TRAINED), result(larger())))
    assert ["Parameters", "1,000", "1,000", "–"] in text
    assert ["Activations", "300", "345", "+45", "+15.0%"] in text
    assert ["Total", "1,450", "1,495", "+45", "+3.1%"] in text


def test_a_category_that_was_not_there_before_is_new() -> None:
    (before,) = result(*TRAINED)
    peak = before.kinds[0].peak
    none = replace(peak, bytes=1150, split=replace(peak.split, activations=0))
    after = replace(before, kinds=(replace(before.kinds[0], peak=none),))
    gone, new = lines(compared([before], [after])), lines(compared([after], [before]))
    assert ["Activations", "300", "0", "-300", "-100.0%"] in gone
    assert ["Activations", "0", "300", "+300", "new"] in new


def test_the_shapes_of_both_stand_above_the_bytes() -> None:
    text = [" ".join(line) for line in lines(compared(result(*TRAINED), result(larger())))]
    shapes = "Training: float32 5 × 5, int64 5 → float32 6 × 5, int64 6"
    assert text[:2] == ["train.py · cuda:0", shapes]


def test_layers_that_changed_come_with_the_most_changed_first() -> None:
    before, after = result(*TRAINED), result(larger())
    layers = [Layer(f"h.{at}", "Block", 10, 10, 20, 4096 * at) for at in range(20)]
    changed = [replace(each, activations=2 * each.activations) for each in layers]
    before = [replace(before[0], layers=(*layers, Layer("head", "Linear", 8, 8, 16, 4)))]
    after = [replace(after[0], layers=(*changed, Layer("neck", "Linear", 7, 7, 14, 4)))]
    text = lines(compared(before, after))
    begin = text.index(["layers", "that", "changed", "kind", "params", "grads", "optim", "activ."])
    assert text[begin + 1] == ["h.19", "Block", "–", "–", "–", "+76.0K"]
    assert text[begin + 2][0] == "h.18"
    assert text[-1] == ["and", "11", "more"]  # of 19 that changed, one that went, one that came
    head, neck = (replace(each, layers=each.layers[-1:]) for each in (before[0], after[0]))
    assert lines(compared([head], [neck]))[-2:] == [
        ["−", "head", "Linear", "−8", "−8", "−16", "−4"],
        ["+", "neck", "Linear", "+7", "+7", "+14", "+4"],
    ]
    assert all("head" not in line for line in lines(compared(before, before)))


def test_a_layer_of_another_class_has_changed_at_the_same_bytes() -> None:
    (before,) = result(*TRAINED)
    one = replace(before, layers=(Layer("act", "ReLU", 0, 0, 0, 64),))
    other = replace(before, layers=(Layer("act", "GELU", 0, 0, 0, 64),))
    assert ["act", "ReLU", "→", "GELU", "–", "–", "–", "–"] in lines(compared([one], [other]))


def test_ranks_belong_together_in_whatever_order_they_came() -> None:
    before = [*result(*TRAINED, observed=rank(0)), *result(training(kept=200), observed=rank(1))]
    after = [replace(report, pid=report.pid + 100) for report in before]
    found = compared(before, after[::-1])
    assert [program.rank for program in found.programs] == [0, 1]
    assert [kind.peak.bytes for program in found.programs for kind in program.kinds] == [0, 0]
    missing = compared(before, after[1:])
    assert missing.lost == ("train.py, rank 0, on cuda:0",)
    assert compared(after[1:], before).new == missing.lost


def test_a_process_on_several_devices_is_compared_device_by_device() -> None:
    two = result(training(device="cuda:0"), training(number=2, device="cuda:1", kept=200))
    other = [replace(two[0], device="cuda:2"), replace(two[1], device="cuda:3")]
    found = compared(two, other)
    assert [program.device for program in found.programs] == ["cuda:2", "cuda:3"]
    assert [kind.peak.bytes for program in found.programs for kind in program.kinds] == [0, 0]


def test_a_result_in_lines_counts_by_its_last(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    steps = [*result(training(kept=200)), *result(*TRAINED)]
    path.write_bytes(b"\n".join(map(msgspec.json.encode, steps)) + b"\n")
    assert read(str(path)) == steps[1:]


def test_for_scripts_it_is_json(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert diff(*files, "json", None) == 0
    found = msgspec.json.decode(capsys.readouterr().out, type=Comparison)
    training, inference = found.programs[0].kinds
    assert (training.peak.before, training.peak.after) == (1450, 1495)
    assert (training.categories["activations"].before, inference.peak.bytes) == (300, 0)


@pytest.mark.parametrize(("limit", "code"), [(None, 0), (0.04, 0), (0.0311, 0), (0.031, 1), (0, 1)])
def test_ci_fails_where_a_peak_grew_by_more_than_is_allowed(
    files: tuple[str, str], limit: float | None, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert diff(*files, "table", limit) == code
    said = capsys.readouterr()
    assert "Activations" in said.out
    wrong = (
        "vramtop: train.py, on cuda:0: the peak in training grew by 3.10%, "
        f"from 1,450 B to 1,495 B; --fail-above allows {(limit or 0) * 100:g}%\n"
    )
    assert said.err == (wrong if code else "")


def test_ci_fails_where_nothing_is_left_to_compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = write(tmp_path / "before.json", result(*TRAINED, inference()))
    after = write(tmp_path / "after.json", result(*TRAINED))
    assert diff(before, after, "table", 1.0) == 1
    said = capsys.readouterr()
    assert said.err == "vramtop: train.py, on cuda:0: inference only in the first file\n"
    assert "Only in the first file: inference." in said.out
    two = write(tmp_path / "two.json", [*result(*TRAINED), replace(result(*TRAINED)[0], pid=9)])
    assert diff(two, after, "table", 1.0) == 1
    assert capsys.readouterr().err == "vramtop: train.py, on cuda:0: only in the first file\n"
    assert diff(after, two, "table", 1.0) == 0


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (None, "cannot read {file}: No such file or directory"),
        (b"", "{file} has no watched step: there is nothing to compare"),
        (b"[]", "{file} has no watched step: there is nothing to compare"),
        (b"train.py  pid 4711", "{file} is no result in JSON, which vramtop run --output"),
        (b'[{"pid": 3}]', "{file} is no result in JSON"),
        (b"\xff\xfe\x00", "{file} is no result in JSON"),
    ],
)
def test_a_file_that_is_no_result_is_refused(
    content: bytes | None, wrong: str, tmp_path: Path, files: tuple[str, str]
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingError, match=f"^{wrong.format(file=file)}"):
        diff(files[0], str(file), "table", None)


def test_the_table_fits_80_columns() -> None:
    name = "a_very_long_name_of_a_module.and_of_another_one_in_it.c_fc"
    (report,) = result(*TRAINED)
    kind = report.kinds[0]
    huge = replace(kind.peak.split, parameters=999_999_999_999)
    grown = replace(
        report,
        kinds=(replace(kind, peak=replace(kind.peak, bytes=huge.total, split=huge)),),
        layers=(Layer(name, "LinearWithLowRankAdaptation", 10**12, 10**12, 10**12, 10**12),),
    )
    text = drawn(io.StringIO(), page(compared([report], [grown]))).splitlines()
    assert max(len(line.rstrip()) for line in text) <= 80
