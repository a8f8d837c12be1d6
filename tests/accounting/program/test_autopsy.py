"""What follows from the blocks of a request that was denied, and what might have helped."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from vramtop.accounting.program.autopsy import autopsy
from vramtop.protocol.observed.autopsy import Autopsy, FreePieces, Other, Suggestion
from vramtop.protocol.observed.record import Block, Name, OutOfMemory, Segment, Sighting

MIB = 2**20
DENIED = OutOfMemory(
    device="cuda:0",
    wanted=40 * MIB,
    free=10 * MIB,
    limit=1000 * MIB,
    device_free=10 * MIB,
    device_total=1000 * MIB,
    reserved=900 * MIB,
    requested=800 * MIB,
    parameters=300 * MIB,
    gradients=100 * MIB,
    optimizer_state=200 * MIB,
    line="train.py:3",
)
LARGE = Segment(100 * MIB, 0, "large", False, False)


def found(**values: Any) -> Autopsy:
    return autopsy(msgspec.structs.replace(DENIED, **values))


def remedies(**values: Any) -> list[tuple[str, int]]:
    return [(each.remedy, each.bytes // MIB) for each in found(**values).suggestions]


def pieces(*segments: tuple[Segment, list[tuple[int, int]]]) -> dict[str, Any]:
    """Segments with their blocks, each by its size and what of it is in use, in MiB."""
    blocks = [
        Block(number, (1000 * number + place) * MIB, size * MIB, used * MIB, -1)
        for number, (_, sizes) in enumerate(segments)
        for place, (size, used) in enumerate(sizes)
    ]
    return {"segments": tuple(segment for segment, _ in segments), "blocks": tuple(blocks)}


def other(**values: object) -> Segment:
    return msgspec.structs.replace(LARGE, **values)


def test_the_rest_is_what_is_in_use_and_nobodys() -> None:
    assert found().rest == 200 * MIB
    assert found(gradients=None).rest == 300 * MIB
    assert found().outside == (1000 - 10 - 900) * MIB


@pytest.mark.parametrize(
    "segment", [other(kind="small"), other(stream=7), other(private=True)], ids=str
)
def test_pieces_that_cannot_serve_the_request_are_told_apart(segment: Segment) -> None:
    denied = pieces((LARGE, [(30, 0), (50, 50), (20, 0)]), (segment, [(60, 0), (40, 40)]))
    assert found(**denied).free_pieces == FreePieces(50 * MIB, 2, 30 * MIB, 60 * MIB)
    assert ("expandable", 50) in remedies(**denied)
    assert "expandable" not in dict(remedies(**denied | {"wanted": 51 * MIB}))


def test_a_small_request_is_served_by_small_pieces() -> None:
    denied = pieces((LARGE, [(30, 0), (70, 70)]), (other(kind="small"), [(1, 0), (1, 1)]))
    assert found(**denied, wanted=2 * MIB).free_pieces == FreePieces(MIB, 1, MIB, 30 * MIB)


def test_the_free_bytes_of_expandable_segments_are_no_fragments() -> None:
    denied = pieces((other(expandable=True), [(90, 0), (10, 10)]))
    assert found(**denied).pinned == ()
    assert "expandable" not in dict(remedies(**denied))


def test_a_segment_is_pinned_where_most_of_it_is_free_and_something_is_not() -> None:
    denied = pieces(
        (LARGE, [(50, 0), (50, 50)]),
        (LARGE, [(51, 0), (9, 9), (40, 40)]),
        (LARGE, [(100, 0)]),
        (other(private=True), [(90, 0), (10, 10)]),
        (LARGE, [(80, 0), (20, 15)]),
    )
    pinned = found(**denied).pinned
    assert [(each.free // MIB, each.blocks, each.by.bytes // MIB) for each in pinned] == [
        (80, 1, 15),
        (51, 2, 40),
    ]


def test_a_block_is_named_by_those_who_own_it() -> None:
    denied = pieces((LARGE, [(60, 60), (40, 40)]))
    address = denied["blocks"][0].address
    names = (
        Name("fc.weight", (4, 4), "float32", 4, trained=True),
        Name("tied.weight", (4, 4), "float32", 4, trained=True),
    )
    seen = tuple(Sighting(0, address, "gradients", number) for number in range(2))
    first, second = found(**denied, names=names, sightings=seen).largest
    assert (first.owner, first.name, first.shape) == (
        "gradients",
        "fc.weight.grad and 1 more",
        (4, 4),
    )
    assert (second.owner, second.name, second.shape) == (None, "", None)


# ---- what might have helped -----------------------------------------------------------------


def test_a_request_larger_than_the_device_has_no_other_remedy() -> None:
    assert remedies(wanted=1001 * MIB, phase="forward", gradients=999 * MIB) == [("nothing", 1000)]


def test_the_programs_own_limit_is_told_where_the_device_had_enough() -> None:
    assert remedies(limit=910 * MIB, device_free=40 * MIB, device_total=2000 * MIB)[0] == (
        "limit", 40,
    )  # fmt: skip
    assert "limit" not in dict(remedies(device_free=39 * MIB))


def test_what_others_hold_is_told_where_it_is_most_of_the_device() -> None:
    half = {"device_total": 1820 * MIB}
    assert found(**half).outside == 910 * MIB
    assert "others" not in dict(remedies(**half))
    assert remedies(device_total=1822 * MIB)[0] == ("others", 912)
    denied = msgspec.structs.replace(DENIED, device_total=1822 * MIB)
    remedy = Suggestion("others", 912 * MIB)
    assert remedy in autopsy(denied, (Other(77, "serve.py", MIB),)).suggestions
    assert remedy not in autopsy(denied, ()).suggestions  # it is CUDA's own


@pytest.mark.parametrize("phase", ["load", "forward", "outside"])
def test_gradients_are_told_where_they_are_of_a_step_before(phase: str) -> None:
    assert ("zero_grad", 100) in remedies(phase=phase)
    assert ("zero_grad", 100) in remedies(phase=phase, wanted=110 * MIB)
    assert "zero_grad" not in dict(remedies(phase=phase, wanted=111 * MIB))
    assert "zero_grad" not in dict(remedies(phase=phase, gradients=None))


@pytest.mark.parametrize("phase", ["backward", "optimizer"])
def test_gradients_that_are_needed_are_no_waste(phase: str) -> None:
    assert "zero_grad" not in dict(remedies(phase=phase))


def test_an_evaluation_with_a_graph_is_told() -> None:
    evaluating = {"phase": "forward", "evaluates": True, "gradients": 0}
    assert remedies(**evaluating)[0] == ("no_grad", 300)
    assert "no_grad" not in dict(remedies(**evaluating, differentiable=False))
    assert "no_grad" not in dict(remedies(**evaluating | {"evaluates": False}))


def test_state_is_told_while_it_is_made() -> None:
    assert remedies(phase="optimizer", new_state=True) == [("optimizer", 200)]
    assert remedies(phase="optimizer") == []


@pytest.mark.parametrize("phase", ["forward", "backward"])
def test_the_batch_is_told_where_what_nobody_owns_is_most(phase: str) -> None:
    assert remedies(phase=phase, gradients=0, requested=801 * MIB) == [("batch", 301)]
    assert remedies(phase=phase, gradients=0, requested=800 * MIB) == []


def test_at_most_three_are_told_the_cheapest_first() -> None:
    denied = pieces((LARGE, [(60, 0), (40, 40)]))
    told = remedies(
        **denied, phase="forward", evaluates=True, requested=2000 * MIB,
        device_total=4000 * MIB, limit=4000 * MIB,
    )  # fmt: skip
    assert [remedy for remedy, _ in told] == ["others", "expandable", "no_grad"]
    assert Suggestion("others", 3090 * MIB) == found(device_total=4000 * MIB).suggestions[0]
