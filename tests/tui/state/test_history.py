"""The history of samples: bounded, even, and made of samples alone."""

from __future__ import annotations

from functools import reduce

import msgspec
import pytest
from made import measured, sample
from vramtop.protocol.messages import Sample
from vramtop.protocol.split import AllocatorMemory
from vramtop.tui.state.history import (
    MAX_POINTS,
    History,
    OutOfMemoryMark,
    extended,
    marked,
    of_images,
    of_step,
)


def history(*images: int, batch_size: int = 64) -> History:
    points = (of_images(sample(count, loss=1 / count), batch_size, None) for count in images)
    return reduce(extended, points, History())


def test_a_point_says_what_the_sample_and_the_latest_anatomy_said() -> None:
    point = of_images(sample(640, loss=0.25), 64, measured())
    assert (point.at, point.batch_size, point.loss) == (640, 64, 0.25)
    assert point.rate == 64e3
    assert (point.peak, point.reserved) == (measured().anatomy.peak.bytes, None)


def test_a_program_that_counts_no_images_is_followed_by_its_steps() -> None:
    point = of_step(Sample(step=12, phase="zero_grad", loss=0.25, step_seconds=0.5), measured())
    assert (point.at, point.batch_size, point.loss, point.rate) == (12, None, 0.25, 2.0)
    assert point.peak == measured().anatomy.peak.bytes
    assert of_step(Sample(step=1, phase="load"), None).rate is None


def test_where_there_is_an_allocator_its_own_figures_count() -> None:
    memory = AllocatorMemory({}, reserved=4096, allocated_peak=2048)
    point = of_images(sample(), 64, msgspec.structs.replace(measured(), allocator=memory))
    assert (point.peak, point.reserved) == (2048, 4096)


@pytest.mark.parametrize("steps", [MAX_POINTS, MAX_POINTS + 1, 20_000])
def test_however_long_it_is_it_has_both_ends_and_no_more_points_than_allowed(steps: int) -> None:
    points = history(*(64 * step for step in range(1, steps + 1))).points
    assert MAX_POINTS // 3 <= len(points) <= MAX_POINTS
    assert (points[0].at, points[-1].at) == (64, 64 * steps)


def test_no_part_of_a_long_training_has_fewer_points_than_another() -> None:
    points = history(*(64 * step for step in range(1, 50_001))).points
    middle = points[len(points) // 2].at
    assert abs(middle - 1_600_000) <= 3_200_000 * 0.01


def test_the_points_kept_are_unchanged_samples() -> None:
    points = history(*(64 * step for step in range(1, 5001))).points
    assert all(point.loss == 1 / point.at for point in points)


def test_a_faster_size_has_no_more_of_the_points_than_its_share_of_the_images() -> None:
    slow = tuple(range(1, 2001))
    fast = tuple(2000 + 1000 * step for step in range(1, 1001))
    points = history(*slow, *fast).points
    assert sum(point.at <= 2000 for point in points) <= 3


def test_points_after_a_step_back_are_forgotten() -> None:
    assert [p.at for p in history(640, 704, 768, 704).points] == [640, 704]


def test_the_same_place_twice_is_one_point() -> None:
    assert len(history(640, 640).points) == 1


def test_what_did_not_fit_stays_marked_where_the_training_goes_back_to() -> None:
    earlier = marked(history(640, 704), 2048)
    later = marked(extended(earlier, of_images(sample(768), 64, None)), 4096)
    back = extended(later, of_images(sample(730), 64, None))
    assert back.out_of_memory == (OutOfMemoryMark(704, 2048), OutOfMemoryMark(730, 4096))
