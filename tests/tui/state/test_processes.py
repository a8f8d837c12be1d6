"""The list of processes: its order, its filter and its tree."""

from __future__ import annotations

from typing import get_args

import pytest
from gpu_table import GIB, make_gpu, report
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from process_list import machine, process
from vramtop.protocol.gpus import Gpu, GpuProcess
from vramtop.tui.state.processes import COLUMNS, Column, ProcessView, process_rows, users

USUAL = ProcessView()


def listed(**view: object) -> list[int]:
    """The pids of this view of the machine."""
    rows = process_rows(machine(), replace(USUAL, **view))
    return [row.process.pid for row in rows if row.process is not None]


def drawn(**view: object) -> list[str]:
    """Each row of the tree: its branch and its pid."""
    rows = process_rows(machine(), ProcessView(tree=True, **view))
    return [f"{row.branch}{row.process.pid}" for row in rows if row.process is not None]


def test_usually_they_stand_gpu_by_gpu_the_largest_first() -> None:
    assert listed() == [61, 41, 42, 70]


def test_those_of_the_chosen_gpu_come_first() -> None:
    assert listed(first=1) == [42, 70, 61, 41]
    assert listed(first=1, by="memory") == [42, 70, 61, 41]
    assert listed(by="memory") == [61, 41, 42, 70]


@pytest.mark.parametrize(
    ("by", "pids"),
    [
        ("pid", [41, 61, 42, 70]),
        ("user", [41, 61, 42, 70]),
        ("memory", [61, 41, 42, 70]),
        ("SM", [41, 61, 42, 70]),
        ("CPU", [41, 61, 42, 70]),
        ("time", [61, 41, 70, 42]),
        ("inside", [41, 61, 42, 70]),
        ("command", [61, 41, 70, 42]),
    ],
)
def test_each_column_has_its_order(by: Column, pids: list[int]) -> None:
    assert listed(by=by) == pids


@pytest.mark.parametrize("by", COLUMNS)
def test_backwards_is_the_other_way_round_but_who_has_no_value_stays_last(by: Column) -> None:
    with_value = replace(process(1, 2), sm=5, cpu=5.0, resident=GIB, seconds=5, type="C")
    other = replace(
        process(2, 1), user="zoe", command="z", sm=9, cpu=9.0, resident=1, seconds=9, type="G",
        inside="observed",
    )  # fmt: skip
    nothing = GpuProcess(3)
    gpus = report(make_gpu(0, with_value, other, nothing))

    def pids(view: ProcessView) -> list[int]:
        return [row.process.pid for row in process_rows(gpus, view) if row.process]

    there, back = pids(ProcessView(by)), pids(ProcessView(by, backwards=True))
    if by == "pid":
        assert there == back[::-1]
    elif by == "GPU":
        assert there == back == [1, 2, 3]
    elif by == "inside":  # what is not known is like what cannot be
        assert there[0] == back[-1] == 2
    else:
        assert there[:2] == back[:2][::-1]
        assert there[2] == back[2] == 3


def test_keys_lead_through_all_columns_and_a_second_time_turns_round() -> None:
    view, seen = USUAL, list[Column]()
    for _ in COLUMNS:
        view = view.sorted_by_next()
        seen.append(view.by)
    assert sorted(seen) == sorted(get_args(Column))
    assert view.by == "GPU"
    assert view.sorted_by("memory").largest_first
    assert not view.sorted_by("memory").sorted_by("memory").largest_first
    assert not view.sorted_by("user").largest_first


@pytest.mark.parametrize(
    ("words", "pids"),
    [
        ("train", [41, 42]),
        ("TRAIN 42", [42]),
        ("ben", [61]),
        ("70", [70]),
        ("nobody", []),
        ("", [61, 41, 42, 70]),
    ],
)
def test_all_words_must_be_in_pid_user_or_command(words: str, pids: list[int]) -> None:
    assert listed(words=words) == pids


def test_one_user_after_the_other_then_all_again() -> None:
    known, view = users(machine()), USUAL
    assert known == ["ana", "ben", "root"]
    seen = list[object]()
    for _ in range(4):
        view = view.of_next_user(known)
        seen.append(view.user)
    assert seen == ["ana", "ben", "root", None]
    assert listed(user="ben") == [61]
    # Of a user whose last process has ended, one comes back to all.
    assert replace(view, user="eve").of_next_user(known).user == "ana"


def test_ranks_stand_below_their_torchrun_and_shells_are_left_out() -> None:
    assert drawn() == ["60", "└ 61", "40", "├ 41", "└ 42", "70"]


def test_a_tree_is_filtered_with_those_above() -> None:
    assert drawn(words="rank 42") == ["40", "└ 42"]
    assert drawn(user="ben") == ["60", "└ 61"]


def test_a_tree_is_sorted_by_its_best_branch() -> None:
    assert drawn(by="SM", first=1) == ["40", "├ 42", "└ 41", "70", "60", "└ 61"]


def test_where_branches_meet_the_process_is_shown() -> None:
    two = machine()
    other = process(81, 1, parent=80)
    gpus = replace(two.gpus[1], processes=(*(two.gpus[1].processes or ()), other))
    second = GpuProcess(80, command="torchrun again", parent=30)
    both = replace(two, gpus=(two.gpus[0], gpus), ancestors=(*two.ancestors, second))
    rows = process_rows(both, ProcessView(tree=True, user="ana"))
    found = [f"{row.branch}{row.process.pid}" for row in rows if row.process]
    assert found == ["30", "├ 40", "│ ├ 41", "│ └ 42", "└ 80", "  └ 81"]


def test_a_process_on_two_gpus_has_two_rows_in_the_tree_too() -> None:
    on_both = process(41, 2, parent=40)
    two = replace(report(make_gpu(0, on_both), make_gpu(1, on_both)), ancestors=machine().ancestors)
    rows = process_rows(two, ProcessView(tree=True))
    assert [(row.where, row.branch) for row in rows] == [("", ""), ("0", "└ "), ("1", "└ ")]


def test_parents_that_are_each_others_end_the_branch() -> None:
    odd = report(make_gpu(0, process(5, 1, parent=6), process(6, 1, parent=5)))
    rows = process_rows(odd, ProcessView(tree=True))
    assert sorted(row.process.pid for row in rows if row.process) == [5, 6]


def test_a_list_that_nvml_refuses_says_so_in_any_order() -> None:
    unknown = Gpu(0, refused={"processes": "No Permission"})
    for view in (USUAL, ProcessView("memory", backwards=True), ProcessView(tree=True)):
        (row,) = process_rows(report(unknown), view)
        assert (row.process, row.refused) == (None, "not available: No Permission")


_MADE = st.builds(
    GpuProcess,
    pid=st.integers(2, 12),
    used=st.none() | st.integers(0, 9),
    user=st.none() | st.sampled_from("ab"),
    command=st.none() | st.text(max_size=3),
    sm=st.none() | st.integers(0, 100),
    parent=st.none() | st.integers(1, 14),
)
_PIDS = st.lists(_MADE, unique_by=lambda each: each.pid, max_size=6)


_VIEWS = st.builds(ProcessView, st.sampled_from(COLUMNS), st.booleans(), first=st.integers(0, 2))


@given(_PIDS, _PIDS, _PIDS, _VIEWS)
def test_no_view_loses_or_doubles_a_process(
    first: list[GpuProcess],
    second: list[GpuProcess],
    above: list[GpuProcess],
    view: ProcessView,
) -> None:
    gpus = report(make_gpu(0, *first), make_gpu(1, *second))
    listed = {each.pid for each in (*first, *second)}
    gpus = replace(gpus, ancestors=tuple(each for each in above if each.pid not in listed))
    whole = sorted((row.where, row.process.pid) for row in process_rows(gpus, view) if row.process)
    assert whole == sorted(
        (str(gpu.index), each.pid) for gpu in gpus.gpus for each in gpu.processes or ()
    )
    tree = process_rows(gpus, replace(view, tree=True))
    assert sorted((r.where, r.process.pid) for r in tree if r.process and r.where) == whole
