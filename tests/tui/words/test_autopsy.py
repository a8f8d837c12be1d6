"""What is said of an out of memory: every figure that is known, and no other."""

from __future__ import annotations

from typing import get_args

import pytest
from msgspec.structs import replace
from said import denied
from vramtop.accounting.program.autopsy import autopsy
from vramtop.protocol.observed.autopsy import FreePieces, Other, Remedy, Suggestion
from vramtop.protocol.observed.record import Input, Module
from vramtop.protocol.observed.shapes import Shape, Shapes
from vramtop.tui.words import autopsy as words

MIB = 2**20
FOUND = autopsy(denied())
ADVICE: dict[Remedy, str] = {
    "nothing": "ask for less at once",
    "limit": "set_per_process_memory_fraction",
    "others": "a freer GPU",
    "expandable": "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True",
    "no_grad": "torch.no_grad()",
    "zero_grad": "zero_grad(set_to_none=True)",
    "optimizer": "an optimizer that keeps less",
    "batch": "a smaller batch, or activation checkpointing",
}


@pytest.mark.parametrize("remedy", get_args(Remedy))
def test_a_suggestion_has_its_figure_and_an_advice(remedy: Remedy) -> None:
    text = words.suggestion(FOUND, Suggestion(remedy, 123 * MIB))
    assert "123.0 MiB" in text
    assert ADVICE[remedy] in text


def test_where_and_when_leave_out_what_is_not_known() -> None:
    assert words.place(FOUND) == "encoder.1 (Linear), train.py:9"
    assert words.moment(FOUND) == "in forward, after 1,204 steps, of float32 64 × 784"
    bare = replace(FOUND, module=None, line="", phase=None, steps=None, inputs=())
    assert (words.place(bare), words.moment(bare)) == ("", "")
    outermost = replace(FOUND, module=Module("", "GPT"), operator="MmBackward0", steps=1)
    assert words.place(outermost) == "GPT, MmBackward0, train.py:9"
    assert "after 1 step," in words.moment(outermost)


@pytest.mark.parametrize(
    ("pieces", "line"),
    [
        (None, ""),
        (FreePieces(0, 0, 0, 0), ""),
        (FreePieces(MIB, 1, MIB, 0), "Reserved but free: 1.00 MiB in 1 piece."),
        (
            FreePieces(3 * MIB, 2, 2 * MIB, MIB),
            "Reserved but free: 3.00 MiB in 2 pieces, the largest of 2.00 MiB; "
            "1.00 MiB for other sizes, streams or pools.",
        ),
    ],
)
def test_free_pieces_are_told(pieces: FreePieces | None, line: str) -> None:
    assert words.free_line(replace(FOUND, free_pieces=pieces)) == line


def test_gradients_that_nobody_read_are_in_the_rest() -> None:
    assert ("gradients", 0) in words.held(FOUND)
    unread = autopsy(replace(denied(), gradients=None))
    assert "gradients" not in dict(words.held(unread))
    assert sum(dict(words.held(unread)).values()) == unread.in_use


def test_other_processes_are_named_with_their_bytes_and_only_some_of_many() -> None:
    assert words.others_line(FOUND) == words.others_line(replace(FOUND, others=())) == ""
    one = Other(77, "python serve.py", 2 * MIB)
    text = words.others_line(replace(FOUND, others=(one, Other(78, "", None))))
    assert text == "other processes then: 2.00 MiB of python serve.py (pid 77), – of pid 78"
    assert words.others_line(replace(FOUND, others=(one,) * 5)).endswith(", 2 more")


def shape(*sides: int, watched: int = 1) -> Shape:
    return Shape(
        kind="training", inputs=(Input("int64", sides),), watched=watched, peak=MIB,
        latest_peak=MIB, seconds=0.1, first_step=1, peak_step=1,
    )  # fmt: skip


def test_inputs_larger_than_all_before_are_compared_with_the_largest_of_them() -> None:
    seen = Shapes(seen=(shape(8, 128, watched=11), shape(8, 512), shape(8, 256)))
    found = replace(FOUND, inputs=(Input("int64", (8, 4096)),))
    assert words.larger_line(found, seen) == (
        "its inputs are 8.0 times the largest of 13 steps watched before, int64 8 × 512"
    )
    for inputs in ((Input("int64", (8, 512)),), (), (Input("int64", (8, 4096)),) * 2):
        assert words.larger_line(replace(FOUND, inputs=inputs), seen) == ""
    assert words.larger_line(found, Shapes()) == ""
