"""What the GPUs were like over the last hour."""

from __future__ import annotations

from functools import reduce

from gpu_table import GIB, make_gpu
from msgspec.structs import replace
from vramtop.protocol.gpus import Gpu
from vramtop.tui.gpus.conclusions import lost
from vramtop.tui.state.gpu_history import MAX_SECONDS, GpuHistory, extended


def test_load_and_memory_are_in_percent_of_each_gpu() -> None:
    half = make_gpu(1, gpu_utilization=80, free=40 * GIB)
    history = extended(GpuHistory(), 7, (make_gpu(0), half))
    assert history.at == (7,)
    assert history.began == 7
    assert [past.load for past in history.gpus] == [(37,), (80,)]
    assert history.gpus[1].memory == (50.0,)


def test_what_is_not_known_is_a_gap_and_never_zero() -> None:
    known = extended(GpuHistory(), 1, (make_gpu(0),))
    history = extended(known, 2, (lost(make_gpu(0), "gone"),))
    assert history.gpus[0].load == (37, None)
    assert history.gpus[0].memory[1] is None
    assert extended(known, 2, (Gpu(0),)).gpus[0].memory[1] is None


def test_a_gpu_that_comes_later_was_not_known_before() -> None:
    history = extended(GpuHistory(), 1, (make_gpu(0),))
    history = extended(history, 2, (make_gpu(0), make_gpu(1)))
    assert history.gpus[1].load == (None, 37)
    history = extended(history, 3, (make_gpu(0),))
    assert [len(past.load) for past in history.gpus] == [3, 3]
    assert history.gpus[1].load[-1] is None


def test_nothing_is_added_without_a_gpu_or_without_a_new_second() -> None:
    history = extended(GpuHistory(), 5, (make_gpu(0),))
    assert extended(history, 6, ()) is history
    assert extended(history, 5, (make_gpu(0),)) is history
    assert extended(history, 4, (make_gpu(0),)) is history


def test_only_the_last_hour_is_kept() -> None:
    gpus = (make_gpu(0),)
    history = reduce(lambda before, at: extended(before, at, gpus), range(4000), GpuHistory())
    assert history.at == tuple(range(3999 - MAX_SECONDS, 4000))
    assert len(history.gpus[0].load) == len(history.gpus[0].memory) == len(history.at)
    assert history.began == 0
    later = extended(history, 4000 + 2 * MAX_SECONDS, (replace(gpus[0], gpu_utilization=1),))
    assert later.gpus[0].load == (1,)
