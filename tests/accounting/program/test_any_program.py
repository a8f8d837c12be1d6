"""Programs made up at random: whatever they do, all bytes are somebody's at every moment."""

from __future__ import annotations

from fake import FakeProgram
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple
from vramtop.accounting.program.report import report

MARKS = ("call", "call_end", "backward", "backward_end", "optimizer", "optimizer_end")
OWNERS = ("parameters", "gradients", "optimizer_state", "batch_data")

ACTIONS = st.one_of(
    st.tuples(st.just("take"), st.integers(1, 5)),
    st.tuples(st.just("give"), st.integers(0, 100)),
    st.tuples(st.sampled_from(OWNERS), st.integers(0, 100)),
    st.tuples(st.sampled_from(MARKS), st.just(0)),
)


def act(program: FakeProgram, action: str, number: int) -> None:
    alive = list(program.alive)
    if action == "take":
        program.take(number, f"train.py:{number}", "fc" if number % 2 else None)
    elif action in MARKS:
        program.mark(action)
    elif alive and action == "give":
        program.give(alive[number % len(alive)])
    elif alive:
        program.see(action, alive[number % len(alive)] + number % 2, "fc.weight", (1,))


@settings(max_examples=300, deadline=None)
@given(
    older=st.lists(st.integers(1, 5), max_size=5),
    periods=st.tuples(st.lists(ACTIONS, max_size=40), st.lists(ACTIONS, max_size=40)),
    kind=st.sampled_from(("training", "inference")),
    workspaces=st.sets(st.integers(1, 5)),
)
def test_categories_and_workspaces_are_what_the_allocator_has_at_every_moment(
    older, periods, kind, workspaces
) -> None:
    program = FakeProgram(kind)
    for size in older:
        program.hold(size)
    held: list[int] = []
    for actions in periods:
        program.period()
        held = [sum(program.alive.values())]
        for action, number in actions:
            before = dict(program.alive)
            act(program, action, number)
            if program.alive != before:
                held.append(sum(program.alive.values()))
    program.period()
    step = program.record(workspace_sizes=tuple(workspaces))
    result = report(step, 1)
    workspace = result.allocator.workspace
    totals = [moment.split.total + workspace for moment in result.curve]
    assert totals[-1] == held[-1]
    if step.cut:  # before a program's first step nobody has made a workspace
        assert totals == held
        assert result.peak.bytes + workspace == result.allocator.requested_peak
    assert all(size >= 0 for moment in result.curve for size in astuple(moment.split))
    assert result.allocator.requested_peak == max(held)
    assert result.unattributed == 0
    for category, water in zip(result.tensors, astuple(result.high_water), strict=True):
        assert water == max(getattr(moment.split, category) for moment in result.curve)
        listed = result.tensors[category]
        assert sum(facts.bytes for facts in listed) <= water
        assert len(listed) == 8 or sum(facts.bytes for facts in listed) == water
        assert sum(getattr(line.split, category) for line in result.lines) == water
        if category in ("parameters", "gradients", "optimizer_state", "activations"):
            assert sum(getattr(layer, category) for layer in result.layers) == water
    assert sum(each.bytes for each in result.other) == result.high_water.other
    assert set(result.boundaries) == set(result.phases)
    for split in result.boundaries.values():
        assert split in [moment.split for moment in result.curve]
