"""The time axis of a GPU's charts."""

from __future__ import annotations

from vramtop.tui.widgets.gpus.time_axis import TimeAxis, time_axis


def test_it_grows_in_few_steps_up_to_an_hour_and_then_moves_on() -> None:
    axes = [time_axis(100, 100 + elapsed) for elapsed in range(20_000)]
    assert axes[0] == TimeAxis(100, 60)
    assert axes[60] == TimeAxis(100, 120)
    assert axes[3599] == TimeAxis(100, 3600)
    assert axes[3600] == TimeAxis(1000, 3600)
    assert len(set(axes)) == 7 + (20_000 - 3600) // 900 + 1
    assert all(0 <= 100 + now - axis.start < axis.span for now, axis in enumerate(axes))


def test_it_is_named_by_its_length() -> None:
    assert [time_axis(0, now).name for now in (0, 299, 3599)] == ["1 min", "5 min", "1 h"]
