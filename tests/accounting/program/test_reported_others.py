"""What is nobody's, and the names that are known for it."""

from __future__ import annotations

import msgspec
from fake import FakeProgram
from fake_training import training
from vramtop.accounting.program.other import AUTOCAST, BUCKET, OLDER
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.report import Held


def test_what_is_nobodys_is_listed_alike_together_and_largest_first() -> None:
    program = FakeProgram()
    for size in (8, 8, 30):
        program.hold(size)
    program.period()
    with program.call():
        for _ in range(3):
            program.take(8, "train.py:14")
        program.give(program.take(500, "train.py:14"))
    program.period()
    program.period()
    result = program.report()
    assert result.other == (
        Held(30, 1, "older than both recorded steps", ""),
        Held(24, 3, "kept since the step before", "train.py:14"),
        Held(16, 2, "older than both recorded steps", ""),
    )
    assert sum(held.bytes for held in result.other) == result.high_water.other


def test_a_bucket_of_gradients_is_known_by_its_exact_size_each_once() -> None:
    program = FakeProgram()
    for size in (700, 700, 701):
        program.hold(size)
    for _ in range(3):
        program.period()
    buckets = program.report(bucket_sizes=(700, 300)).other
    assert [(held.bytes, held.what) for held in buckets] == [
        (701, OLDER),
        (700, BUCKET),
        (700, OLDER),
    ]


def holding(*sizes: int) -> tuple[FakeProgram, list[int]]:
    """A program that holds this from before, and where it lies."""
    program = FakeProgram()
    places = [program.hold(size) for size in sizes]
    for _ in range(2):
        program.period()
        with program.call():
            program.give(program.take(500))
    program.period()
    return program, places


def test_what_the_program_names_is_listed_by_that_name_whatever_its_sizes() -> None:
    program, places = holding(8, 30, 8, 16)
    names = {places[0]: "history in train.py", places[1]: "history in train.py", places[2]: ""}
    plain, named = report(program.record(), 1), report(program.record(), 1, names)
    assert named.other == (
        Held(38, 2, "history in train.py", ""),
        Held(16, 1, OLDER, ""),
        Held(8, 1, OLDER, ""),
    )
    assert plain.unknown == tuple((places[at], (8, 30, 8, 16)[at]) for at in (1, 3, 0, 2))
    assert named.unknown == ((places[3], 16), (places[2], 8))
    assert [facts.name for facts in named.tensors["other"]] == [
        "history in train.py", "", "history in train.py", "",
    ]  # fmt: skip
    assert msgspec.structs.replace(
        named, other=plain.other, unknown=plain.unknown, tensors=plain.tensors
    ) == plain  # fmt: skip


def test_only_what_is_nobodys_is_named_by_who_holds_it() -> None:
    program = training()
    weight = program.record().blocks[0][0]
    assert program.report() == report(program.record(), 10, {weight: "ema in train.py"})


def test_copies_that_autocast_keeps_are_known_by_their_sizes_where_no_tensor_lies() -> None:
    program, places = holding(8, 8, 8, 16)
    step = program.record(autocast_sizes=(8, 8, 8, 16), tensors=(places[0],))
    assert report(step, 1).other == (Held(32, 3, AUTOCAST, ""), Held(8, 1, OLDER, ""))
    fewer = program.record(autocast_sizes=(8,), tensors=(places[3],))
    assert report(fewer, 1).other == (
        Held(16, 1, OLDER, ""), Held(16, 2, OLDER, ""), Held(8, 1, AUTOCAST, ""),
    )  # fmt: skip
    assert report(program.record(autocast_sizes=(8, 16)), 1).other == (
        Held(24, 3, OLDER, ""), Held(16, 1, OLDER, ""),
    )  # fmt: skip
