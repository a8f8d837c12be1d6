"""The allocator's figures for a step, checked against the step's account."""

from __future__ import annotations

from vramtop.protocol.split import AllocatorMemory, Reading

from .account import Account, NoAccount
from .records import AllocatorFigures


def reconcile(figures: AllocatorFigures, account: Account) -> None:
    """Raise `NoAccount` unless the account's bytes equal the allocator's at every boundary."""
    for (phase, requested, _), total in zip(figures.boundaries, account.totals, strict=True):
        if requested is not None and (sum(total) != requested or min(total) < 0):
            raise NoAccount(
                f"at the end of {phase} the allocator has {requested:,} B, "
                f"and its trace makes {total.step:,} of the step's, {total.workspace:,} of "
                f"workspaces and {total.other:,} of older ones"
            )


def allocator_memory(figures: AllocatorFigures, account: Account | None) -> AllocatorMemory:
    """The figures in the protocol's form. Without an account, workspaces are not known."""
    boundaries = {
        phase: Reading(requested, allocated) for phase, requested, allocated in figures.boundaries
    }
    workspace = workspace_each = None
    if account is not None:
        for (phase, requested, allocated), total in zip(
            figures.boundaries, account.totals, strict=True
        ):
            boundaries[phase] = Reading(requested, allocated, total.workspace, total.other)
        workspace = account.totals[-1].workspace
        sizes = set(account.workspaces.values())
        workspace_each = min(sizes) if len(sizes) == 1 else None
    return AllocatorMemory(
        boundaries=boundaries,
        reserved=figures.reserved,
        inactive=figures.inactive,
        allocated_peak=figures.allocated_peak,
        requested_peak=figures.requested_peak,
        workspace=workspace,
        retries=figures.retries,
        shortages=figures.denied,
        workspace_each=workspace_each,
    )
