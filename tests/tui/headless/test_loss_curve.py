"""The curve of the loss that a picture is drawn from."""

from __future__ import annotations

import msgspec
import pytest
from made import sample
from vramtop.tui.headless.loss_curve import LossCurve


def test_a_point_is_the_mean_over_the_images_of_its_stretch() -> None:
    curve = LossCurve(60 * 128)  # stretches of 128 images
    for images, loss in ((64, 2.0), (128, 1.0), (192, 0.5)):
        curve.add(sample(images, loss=loss))
    assert curve.points == [(128, 1.5), (192, 0.5)]


def test_a_short_step_counts_for_its_images_alone() -> None:
    curve = LossCurve(60 * 128)
    curve.add(sample(64, loss=2.0))
    curve.add(msgspec.structs.replace(sample(96, loss=1.0), batch_size=32))
    assert curve.points == [(96, pytest.approx(5 / 3))]


def test_steps_of_more_images_than_a_stretch_are_points_of_their_own() -> None:
    curve = LossCurve(6_000)
    for step in (1, 2, 3):
        curve.add(sample(2_000 * step, batch_size=2_000, loss=1 / step))
    assert curve.points == [(2_000, 1.0), (4_000, 0.5), (6_000, pytest.approx(1 / 3))]


def test_a_long_run_has_no_more_points_than_a_picture_needs() -> None:
    curve = LossCurve(640_000)
    for step in range(1, 10_001):
        curve.add(sample(64 * step))
    assert len(curve.points) == 60
