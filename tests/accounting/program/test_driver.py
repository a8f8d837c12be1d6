"""The driver's figure is a sum, to the byte, or it is not known."""

from __future__ import annotations

import pytest
from fake_training import training
from msgspec.structs import replace
from vramtop.accounting.program.driver import Asked, DriverFigures
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.driver import DriverSum
from vramtop.protocol.observed.pools import Pool
from vramtop.protocol.observed.record import Progress, WatchedStep

CONTEXT = 700
ROUNDING, UNUSED, WORKSPACE = 512, 2048 - 512, 50
IN_USE, TOTAL = 90_000, 100_000


def step(cuda_free: int | None = TOTAL - IN_USE) -> WatchedStep:
    total = None if cuda_free is None else TOTAL
    return training().record(workspace_sizes=(WORKSPACE,), cuda_free=cuda_free, cuda_total=total)


STEP = step()
POOL = STEP.marks[-1].reserved or 0
REPORT = report(STEP, 1)


def progress(clock: float, turnover: int = 1, reserved: int = POOL) -> Progress:
    return Progress(
        steps=1, watched=1, step_seconds=None, seconds=1.0, watching_seconds=0.0, clock=clock,
        pools=(Pool(STEP.device, "1", reserved, turnover),), pinned=64,
    )  # fmt: skip


def heard(*messages: Progress | Asked) -> DriverFigures:
    figures = DriverFigures()
    for each in messages:
        if isinstance(each, Asked):
            figures.ask(STEP.device, each)
        else:
            figures.hear(each)
    return figures


def summed(*messages: Progress | Asked, of: WatchedStep = STEP) -> DriverSum:
    found = heard(*messages).sum(of, report(of, 1))
    assert found is not None
    assert sum(found.terms.values()) == found.bytes
    return found


def asked(outside: int, at: float) -> Asked:
    return Asked(POOL + outside, at, at + 0.1)


def test_what_the_process_holds_is_the_context_and_all_that_the_allocator_has() -> None:
    found = summed(progress(1), asked(CONTEXT, 2), progress(3))
    assert (found.by, found.bytes, found.pinned) == ("process", POOL + CONTEXT, 64)
    assert found.terms == {
        "context": CONTEXT, "libraries": 0, "workspace": WORKSPACE,
        "step": 1000 + 2000 + 4, "rounding": ROUNDING, "cache": UNUSED,
    }  # fmt: skip


def test_what_has_grown_beside_the_allocator_is_the_libraries() -> None:
    found = summed(progress(1), asked(CONTEXT, 2), progress(3), asked(CONTEXT + 90, 4), progress(5))
    assert (found.terms["context"], found.terms["libraries"]) == (CONTEXT, 90)
    less = (asked(CONTEXT - 7, 6), progress(7))
    found = summed(progress(1), asked(CONTEXT, 2), progress(3), *less)
    assert (found.terms["context"], found.terms["libraries"]) == (CONTEXT - 7, 0)


@pytest.mark.parametrize(
    "messages",
    [
        (),
        (asked(CONTEXT, 2), progress(3)),  # nothing was known of the allocator before
        (progress(1), asked(CONTEXT, 2)),  # nor is it after
        (progress(1), asked(CONTEXT, 2), progress(2.05)),  # it may have been read before
        (progress(1), asked(CONTEXT, 2), progress(3, turnover=2)),  # it has changed and come back
        (progress(1), asked(CONTEXT, 0.5), progress(3)),  # it may have changed before
        (progress(1), asked(-1, 2), progress(3)),  # less than the allocator has
        (progress(1, 1, 9), asked(CONTEXT, 2), progress(3, 1, 9)),  # another size than in the step
    ],
)
def test_a_figure_that_does_not_fit_the_allocators_gives_way_to_cudas_own(
    messages: tuple[Progress | Asked, ...],
) -> None:
    found = summed(*messages)
    assert (found.by, found.bytes) == ("device", IN_USE)
    assert found.terms["others"] == IN_USE - POOL
    assert "context" not in found.terms


def test_without_any_figure_nothing_is_said() -> None:
    assert heard().sum(step(None), REPORT) is None
    assert heard().sum(step(TOTAL - 9), REPORT) is None  # less than the allocator has
    on_cpu = replace(REPORT, allocator=None)
    assert heard(progress(1), asked(CONTEXT, 2), progress(3)).sum(STEP, on_cpu) is None


def test_a_figure_is_to_be_asked_for_until_one_has_fitted() -> None:
    figures = heard(progress(1))
    assert figures.unknown(progress(1))
    figures.ask(STEP.device, asked(CONTEXT, 2))
    figures.hear(progress(3))
    assert not figures.unknown(progress(3))
    another = replace(progress(4), pools=(*progress(4).pools, Pool("cuda:1", "2", 1, 1)))
    figures.hear(another)
    assert figures.unknown(another)
