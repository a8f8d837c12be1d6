"""The table of a program tells what its JSON does, in 80 columns."""

from __future__ import annotations

import re

import msgspec
import pytest
from printed_table import lines
from said import OBSERVED, PROGRESS, denied, inference, rank, training
from vramtop.protocol.observed.driver import DriverSum
from vramtop.protocol.observed.program import KindReport, ProgramReport
from vramtop.protocol.observed.record import Input, Module, WatchedStep
from vramtop.protocol.observed.report import (
    Allocator,
    Growth,
    Held,
    Layer,
    Line,
    Peak,
    Split,
    WhatIf,
)
from vramtop.tui.programs.programs import Program

LARGE = Split(
    parameters=13_421_772_800, gradients=13_421_772_800, optimizer_state=26_843_545_600,
    batch_data=1_234, activations=9_999_999_999, temporaries=536_870_912, other=1_000_000_000,
)  # fmt: skip


pytestmark = pytest.mark.usefixtures("eighty_columns")


def report(*messages: object, observed: object = OBSERVED) -> ProgramReport:
    program = Program(observed)
    for message in (*messages, PROGRESS):
        program.add(message)
    return program.reports()[0]


def large() -> ProgramReport:
    name = "a_very_long_name_of_a_module.and_of_another_one_in_it.{}.c_fc"
    return msgspec.structs.replace(
        report(training(), observed=rank(12, 64)),
        pid=4_194_301,
        kinds=(
            KindReport(
                kind="training",
                inputs=(),
                steps=1,
                seconds=1.0,
                boundaries={},
                high_water=LARGE,
                peak=Peak(LARGE.total, "backward", name.format(1), "src/train.py:1042", LARGE),
                allocator=Allocator(LARGE.total, LARGE.total, LARGE.total, 2**26),
                unattributed=0,
            ),
        ),
        layers=tuple(
            Layer(name.format(at), "LinearWithLowRankAdaptation", 10**at, 10**at, 10**at, 10**at)
            for at in range(12)
        ),
        lines=tuple(Line(f"{name.format(at)}.py:1042", LARGE) for at in range(12)),
        what_if=(
            WhatIf(f"checkpointing of {name.format('*')}", 1_048_000, 10**10, "at_most", "f"),
        ),
        other=tuple(
            Held(10**at, at, "kept since the step before", f"x.py:{at // 2}") for at in range(15)
        ),
    )


def test_it_has_the_bytes_of_each_category_and_where_the_peak_was() -> None:
    text = lines(report(training()))
    assert text[0] == "train.py · pid 4711 · cuda:0 · torch 2.11.0"
    assert text[1].startswith("1,204 steps of 9.80 ms, 24 watched; watching took 0.42% of the time")
    assert text[2].startswith("Inputs of a step: float32 5 × 5, int64 5")
    figures = {words[0]: words for line in text if (words := line.split())}
    assert figures["Parameters"][1:] == ["1,000", "1000", "B", "69%", "████████▎", "1,000"]
    assert figures["Activations"][1:] == ["300", "300", "B", "21%", "██▌", "300"]
    assert figures["Gradients"][1:] == ["0", "0", "B", "0%", "0"]
    assert figures["Total"][1:] == ["1,450", "1.42", "KiB"]
    assert "The peak was in forward, at train.py:9, in fc." in "\n".join(text)
    assert "At every boundary these are all of its bytes: 0 B unattributed." in "\n".join(text)


@pytest.mark.parametrize(
    ("spent", "seconds", "told"),
    [
        (0.31, 0.35, "watching took 0.31 s of 0.35 s"),
        (0.4, 59.9, "watching took 0.40 s of 59.90 s"),
        (0.6, 60.0, "watching took 1.00% of the time"),
    ],
)
def test_in_a_short_time_watching_is_told_in_seconds(
    spent: float, seconds: float, told: str
) -> None:
    measured = msgspec.structs.replace(report(training()), watching_seconds=spent, seconds=seconds)
    assert lines(measured)[1] == f"1,204 steps of 9.80 ms, 24 watched; {told}"


@pytest.mark.parametrize(("step", "word"), [(inference(), "call"), (training(), "step")])
def test_what_nobody_counts_is_said(step: WatchedStep, word: str) -> None:
    program = Program(OBSERVED)
    for message in (step, msgspec.structs.replace(PROGRESS, steps=None, watched=1)):
        program.add(message)
    first, second = lines(program.reports()[0])[1:3]
    assert first.startswith(f"{step.number} {word}")
    assert first.partition(";")[0].endswith(" watched, the last of 100.0 ms")
    assert second == f"How many {word}s there were in all is not counted."


def test_what_a_cpu_does_not_tell_is_said() -> None:
    text = "\n".join(lines(report(training(device="cpu"))))
    assert "On a CPU: what operators allocate;" in text
    assert "Allocator" not in text


def test_bytes_in_no_category_are_not_hidden() -> None:
    measured = report(training())
    kind = msgspec.structs.replace(measured.kinds[0], unattributed=512)
    text = "\n".join(lines(msgspec.structs.replace(measured, kinds=(kind,))))
    assert "At a boundary 512 B of its bytes are in no category." in text
    assert "0 B unattributed" not in text


def test_nothing_is_wider_than_80_columns_however_large() -> None:
    text = lines(large(), large())
    assert max(map(len, text)) <= 80
    assert "13,421,772,800" in "\n".join(text)
    layers = [line for line in text if "LinearWithLow" in line]
    assert len(layers) == 5
    assert [line.split()[0].split(".")[-2] for line in layers] == ["11", "10", "9", "8", "7"]


def test_lines_of_the_program_come_with_the_most_bytes_first() -> None:
    text = lines(report(training()))
    begin = next(at for at, line in enumerate(text) if line.startswith("largest lines"))
    assert text[begin].split()[2:] == [
        "params",
        "grads",
        "optim",
        "data",
        "activ.",
        "temp.",
        "other",
    ]
    assert [line.split() for line in text[begin + 1 : begin + 3]] == [
        ["train.py:9", "–", "–", "–", "–", "300", "–", "–"],
        ["train.py:7", "–", "–", "–", "100", "–", "–", "–"],
    ]


def test_what_is_others_is_added_up_by_the_line_that_allocated_it() -> None:
    text = lines(large())
    begin = next(at for at, line in enumerate(text) if line.split()[:2] == ["other", "blocks"])
    assert [line.split(maxsplit=3)[2:] for line in text[begin + 1 : begin + 7]] == [
        ["14", "kept since the step before, allocated at x.py:7"],
        ["25", "kept since the step before, allocated at x.py:6"],
        ["21", "kept since the step before, allocated at x.py:5"],
        ["17", "kept since the step before, allocated at x.py:4"],
        ["13", "kept since the step before, allocated at x.py:3"],
        ["15", "allocated at 3 other places"],
    ]


def test_what_a_change_would_save_is_called_predicted_and_comes_with_the_line_to_write() -> None:
    changes = (
        WhatIf("no state", 1000, 450, "exact", "torch.optim.SGD(parameters, lr)"),
        WhatIf("less of something", 1400, 50, "at_most", "less()"),
        WhatIf("hardly anything", 1440, 10, "exact", "nothing()"),
    )
    text = lines(msgspec.structs.replace(report(training()), what_if=changes))
    begin = next(at for at, line in enumerate(text) if "what if (predicted, not measured)" in line)
    assert [line.split() for line in text[begin : begin + 5]] == [
        ["peak", "saves", "what", "if", "(predicted,", "not", "measured)"],
        ["1000", "B", "450", "B", "no", "state"],
        ["torch.optim.SGD(parameters,", "lr)"],
        ["at", "most", "1.37", "KiB", "50", "B", "less", "of", "something"],
        ["less()"],
    ]
    assert "hardly anything" not in "\n".join(text)


def test_the_drivers_figure_is_the_last_line_of_its_terms_and_what_remains_is_called_so() -> None:
    found = DriverSum(
        by="process", bytes=11_111, pinned=4_096,
        terms={"context": 6_000, "libraries": 4_000, "step": 1_000, "cache": 111},
    )  # fmt: skip
    text = lines(msgspec.structs.replace(report(training()), driver=found))
    begin = text.index("the driver's sum   bytes")
    assert [line.split() for line in text[begin + 1 : begin + 7]] == [
        ["context", "6,000", "5.86", "KiB", "what", "remains"],
        ["libraries", "4,000", "3.91", "KiB", "what", "remains"],
        ["step", "1,000", "1000", "B"],
        ["cache", "111", "111", "B"],
        ["process,", "by", "NVML", "11,111", "10.9", "KiB"],
        ["pinned", "4,096", "4.00", "KiB", "beside:", "of", "the", "host's", "memory"],
    ]


def test_what_grows_is_told_with_who_holds_it() -> None:
    growth = Growth(
        category="other", since=1_000, until=3_000, before=2**20, bytes=3 * 2**20, steps_left=9,
        kept=(), held=(Held(3 * 2**20, 3_000, "history in train.py", ""),),
    )  # fmt: skip
    grown = lines(msgspec.structs.replace(report(training()), growth=growth))
    text = " ".join(grown)
    assert "Other grows by 1.02 KiB a step, from 1.00 MiB after step 1,000 to" in text
    assert "the device is full in 9 steps at most held by history in train.py" in text
    assert max(map(len, grown)) <= 80
    assert "grows" not in " ".join(lines(report(training())))


def test_several_processes_have_a_line_each_and_the_highest_peak_is_shown() -> None:
    reports = [
        report(training(kept=kept), observed=rank(number, 3))
        for number, kept in enumerate((300, 900, 600))
    ]
    text = lines(*reports)
    assert [line.split()[:2] for line in text[:4]] == [
        ["rank", "device"], ["0", "cuda:0"], ["1", "cuda:0"], ["2", "cuda:0"],
    ]  # fmt: skip
    assert text[5].startswith("Highest peak: train.py · rank 1 of 3 · pid 4712")


def test_calls_without_training_are_reported_in_a_line_beside_one_and_alone_in_full() -> None:
    both = "\n".join(lines(report(training(), inference())))
    assert "A call in inference, of float32 1 × 5: 1,070 B in forward, at eval.py:5" in both
    alone = lines(report(inference()))
    assert alone[1].startswith("24 calls watched, the last of 100.0 ms; watching took")
    assert alone[3].startswith("Inputs of a call: float32 1 × 5")


OUT_OF_MEMORY = """\
Out of memory on cuda:0: 96.0 MiB wanted, 20.0 MiB free (the latest of 2).
Where: encoder.1 (Linear), train.py:9
When: in forward, after 1,204 steps, of float32 64 × 784

held then, bytes
Parameters         16,777,216   16.0 MiB   5%
Gradients                   0        0 B   0%
Optimizer state    33,554,432   32.0 MiB  10%
The rest          301,989,888  288.0 MiB  86%
In use            352,321,536  336.0 MiB
Reserved          419,430,400  400.0 MiB
Not PyTorch's     398,458,880  380.0 MiB

  largest  what                           allocated at
320.0 MiB  embedding.weight (parameters)  –
 16.0 MiB  –                              model.py:12

Reserved but free: 64.0 MiB in 2 pieces, the largest of 48.0 MiB.
Segments that are mostly free:
  48.0 MiB free of 64.0 MiB, held by a block of 16.0 MiB, from model.py:12
Suggestion: most is neither parameters, gradients nor optimizer state,
  288.0 MiB: a smaller batch, or activation checkpointing."""


def test_an_out_of_memory_is_told_in_full() -> None:
    for measured in (report(denied(2)), report(training(), denied(1), denied(2))):
        assert "\n".join(lines(measured)).endswith(f"\n{OUT_OF_MEMORY}")


def test_blocks_that_nobody_can_name_are_not_listed() -> None:
    measured = report(denied())
    assert measured.out_of_memory is not None
    nobodys = tuple(
        msgspec.structs.replace(each, owner=None, line="")
        for each in measured.out_of_memory.largest
    )
    found = msgspec.structs.replace(measured.out_of_memory, largest=nobodys)
    text = "\n".join(lines(msgspec.structs.replace(measured, out_of_memory=found)))
    assert "In use" in text
    assert "allocated at" not in text


def test_of_other_processes_an_out_of_memory_is_a_line() -> None:
    large = msgspec.structs.replace(training(), blocks=())
    shown = report(large, observed=rank(0))
    first, second = (report(denied(), observed=rank(number)) for number in (1, 2))
    text = lines(shown, first, second)
    wanted = "96.0 MiB wanted, 20.0 MiB free."
    assert text[-1] == f"Out of memory on rank 2, cuda:0: {wanted}"
    assert f"Out of memory on rank 1, cuda:0: {wanted}" in text
    assert "\n".join(text).count("held then") == 1


def test_an_out_of_memory_is_not_wider_than_80_columns() -> None:
    name = "a_very_long_name_of_a_module.and_of_another_one_in_it.1.c_fc"
    wide = msgspec.structs.replace(
        denied(123_456),
        device_total=2**40,
        wanted=2**40 - 1,
        module=Module(name, "LinearWithLowRankAdaptation"),
        line=f"{name}.py:1042",
        lines=(f"{name}.py:1042",),
        inputs=(Input("float32", (64, 784, 1024)),) * 6,
        names=(msgspec.structs.replace(denied().names[0], path=name),),
    )
    text = lines(report(wide))
    assert max(map(len, text)) <= 80
    assert "of 123,456" in "\n".join(text)


def test_an_allocator_that_told_nothing_leaves_its_lines_out() -> None:
    bare = msgspec.structs.replace(denied(), segments=(), blocks=(), gradients=None)
    text = "\n".join(lines(report(bare)))
    for absent in ("Reserved but free", "mostly free", "largest", "Gradients"):
        assert absent not in text
    assert re.search(r"The rest +301,989,888", text)
