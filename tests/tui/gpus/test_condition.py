"""The signs of trouble of a GPU, and how serious each is."""

from __future__ import annotations

import pytest
from gpu_table import make_gpu
from vramtop.tui.gpus.condition import Sign, signs


def test_a_gpu_that_is_well_has_nothing_to_say() -> None:
    assert signs(make_gpu(0, slowdown_at=90, shutdown_at=95)) == ()


@pytest.mark.parametrize(
    ("temperature", "found"),
    [
        (84, ()),
        (85, (Sign("85°C, slowdown at 90°C", "warning", "85°C"),)),
        (90, (Sign("90°C, slowdown at 90°C", "error", "90°C"),)),
    ],
)
def test_heat_is_measured_by_where_the_gpu_slows_down(
    temperature: int, found: tuple[Sign, ...]
) -> None:
    assert signs(make_gpu(0, temperature=temperature, slowdown_at=90, shutdown_at=95)) == found


@pytest.mark.parametrize(("temperature", "level"), [(84, None), (85, "warning"), (90, "error")])
def test_without_a_slowdown_limit_heat_is_measured_by_the_shutdown(
    temperature: int, level: str | None
) -> None:
    found = signs(make_gpu(0, temperature=temperature, shutdown_at=95))
    assert [sign.level for sign in found] == ([level] if level else [])
    assert all("shutdown at 95°C" in sign.text for sign in found)


def test_without_any_limit_the_gpus_own_throttling_decides() -> None:
    assert signs(make_gpu(0, temperature=91)) == ()
    found = signs(make_gpu(0, temperature=91, throttled=("software thermal slowdown",)))
    assert found == (Sign("91°C", "warning"), Sign("software thermal slowdown", "warning"))
    found = signs(make_gpu(0, temperature=91, throttled=("hardware thermal slowdown",)))
    assert {sign.level for sign in found} == {"error"}


def test_the_worst_comes_first_and_what_was_chosen_is_no_trouble() -> None:
    chosen = ("clocks set by an application", "software power cap", "hardware slowdown")
    assert signs(make_gpu(0, throttled=chosen, ecc_errors=2)) == (
        Sign("hardware slowdown", "error"),
        Sign("2 uncorrected ECC errors", "error"),
        Sign("software power cap", "warning"),
        Sign("clocks set by an application", "plain"),
    )


def test_what_is_bad_is_marked_for_those_who_see_no_colours() -> None:
    found = [
        sign.full for sign in signs(make_gpu(0, throttled=("sync boost", "hardware slowdown")))
    ]
    assert found == ["! hardware slowdown", "sync boost"]


def test_a_gpu_that_cannot_be_asked_has_no_signs() -> None:
    assert signs(make_gpu(0, throttled=("hardware slowdown",), trouble="the GPU is lost")) == ()
