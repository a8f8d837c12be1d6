"""An allocator's figures of a step, and the account of the same step."""

from __future__ import annotations

import pytest
from vramtop.accounting.account import Account, NoAccount, Total
from vramtop.accounting.allocator import allocator_memory, reconcile
from vramtop.accounting.records import AllocatorFigures, StepLog
from vramtop.protocol.split import Reading

FIGURES = AllocatorFigures(
    boundaries=[("forward", 130, 1024), ("zero_grad", 105, 512)],
    reserved=2048,
    inactive=256,
    allocated_peak=1536,
    requested_peak=140,
    retries=3,
    denied=4,
)


def account_of(*totals: Total, workspaces: dict[int, int]) -> Account:
    return Account(StepLog([], [], [], [""]), list(totals), workspaces)


def test_each_boundary_has_its_workspaces_and_the_bytes_of_nobody() -> None:
    totals = (Total(100, 20, 10), Total(80, 20, 5))
    memory = allocator_memory(FIGURES, account_of(*totals, workspaces={7: 10, 8: 10}))
    assert memory.boundaries == {
        "forward": Reading(130, 1024, 20, 10),
        "zero_grad": Reading(105, 512, 20, 5),
    }
    assert (memory.workspace, memory.workspace_each) == (20, 10)
    assert (memory.reserved, memory.inactive, memory.cache, memory.rounding) == (
        2048,
        256,
        1536,
        407,
    )
    assert (memory.allocated_peak, memory.requested_peak) == (1536, 140)
    assert (memory.retries, memory.shortages) == (3, 4)


def test_workspaces_of_several_sizes_have_no_size_of_each() -> None:
    totals = (Total(100, 30, 0), Total(75, 30, 0))
    memory = allocator_memory(FIGURES, account_of(*totals, workspaces={7: 10, 8: 20}))
    assert (memory.workspace, memory.workspace_each) == (30, None)


def test_without_an_account_no_workspace_is_known() -> None:
    memory = allocator_memory(FIGURES, None)
    assert memory.end == Reading(105, 512)
    assert (memory.workspace, memory.workspace_each) == (None, None)


def test_an_account_with_all_of_the_allocators_bytes_is_accepted() -> None:
    reconcile(FIGURES, account_of(Total(100, 20, 10), Total(80, 20, 5), workspaces={}))


@pytest.mark.parametrize("end", [Total(80, 20, 4), Total(80, 20, 6), Total(110, -5, 0)])
def test_an_account_that_the_allocator_contradicts_is_refused(end: Total) -> None:
    wrong = account_of(Total(100, 20, 10), end, workspaces={})
    with pytest.raises(NoAccount, match="at the end of zero_grad the allocator has 105 B"):
        reconcile(FIGURES, wrong)
