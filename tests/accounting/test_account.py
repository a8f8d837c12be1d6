"""Accounts by an allocator's trace; each trace is written out here."""

from __future__ import annotations

import random

import pytest
from vramtop.accounting.account import Account, NoAccount, Total, account
from vramtop.accounting.anatomy import anatomy
from vramtop.accounting.records import StepLog, StepTrace, StorageRecord
from vramtop.protocol.split import Phase

Event = tuple[bool, int, int]

OPERATORS = ("", "aten.sum", "batch")
SUM, BATCH = 1, 2  # runs


def take(address: int, size: int) -> Event:
    return False, address, size


def give(address: int, size: int) -> Event:
    return True, address, size


def storage(key: int, born: Phase | None, run: int = 0) -> StorageRecord:
    return StorageRecord(key, born, None, run)


def account_of(
    trace: StepTrace, *storages: StorageRecord, workspaces: dict[int, int] | None = None
) -> Account:
    return account(StepLog(storages, [], [], OPERATORS), trace, workspaces or {})


def test_buffers_results_workspaces_and_older_blocks_are_distinguished() -> None:
    """An operator takes a result of 10, a buffer of 200 and a workspace of 3,000."""
    older = storage(1, None)._replace(owner="parameters")
    trace = StepTrace(
        events=[take(10, 10), take(20, 200), give(90, 50_000), take(30, 3_000), give(20, 200)],
        blocks={80: 400_000, 10: 10, 30: 3_000},
        sightings=[(0, 0, 80, 0, False), (5, 0, 10, 1, False)],
        runs=[(0, 0, 5, SUM)],
        ends=[("load", 5)],
    )
    found = account_of(trace, older, storage(2, "load", SUM))
    assert found.log.start == [(0, 400_000)]
    assert found.totals == [Total(400_010, 3_000, 0)]
    assert found.workspaces == {30: 3_000}
    *_, buffer = found.log.storages
    assert (buffer.born, buffer.gone, buffer.run, buffer.owner) == ("load", "load", SUM, None)
    step = anatomy(found.log)
    assert step.peak.bytes == 400_210
    assert [moment.split.temporaries for moment in step.curve] == [0, 210, 10]


def test_a_buffer_released_before_the_result_is_taken_does_not_add_to_it() -> None:
    events = [take(20, 150), give(20, 150), take(20, 100)]
    trace = StepTrace(events, {20: 100}, [(3, 0, 20, 0, False)], [(0, 0, 3, SUM)], [("load", 3)])
    step = anatomy(account_of(trace, storage(2, "load", SUM)).log)
    assert [moment.split.total for moment in step.curve] == [0, 150, 0, 100]


def test_a_workspace_of_an_earlier_step_is_recognised_by_its_address() -> None:
    trace = StepTrace([give(30, 3_000)], {40: 9}, [], [], [("load", 0), ("forward", 1)])
    found = account_of(trace, workspaces={30: 3_000, 40: 8})
    assert found.totals == [Total(0, 3_000, 9), Total(0, 0, 9)]
    assert found.workspaces == {}


def test_a_batch_older_than_the_step_counts_from_its_declaration() -> None:
    trace = StepTrace([], {50: 500}, [(0, 1, 50, 0, True)], [], [("load", 0), ("load", 0)])
    found = account_of(trace, storage(1, "load", BATCH))
    assert found.totals == [Total(0, 0, 500), Total(500, 0, 0)]


def test_a_storage_that_grows_by_a_copy_counts_both_blocks_meanwhile() -> None:
    trace = StepTrace(
        events=[take(20, 200), give(10, 100)],
        blocks={20: 200},
        sightings=[(0, 0, 10, 0, False), (2, 0, 20, 0, False)],
        runs=[(0, 0, 2, SUM)],
        ends=[("load", 2)],
    )
    found = account_of(trace, storage(1, None))
    assert anatomy(found.log).peak.bytes == 300
    assert found.totals == [Total(200, 0, 0)]


def test_a_storage_is_born_and_gone_when_the_trace_says_so() -> None:
    """Its last reference was dropped in forward; autograd released the block in backward."""
    ends: list[tuple[Phase, int]] = [("load", 0), ("forward", 1), ("backward", 2)]
    events = [take(10, 100), give(10, 100)]
    trace = StepTrace(events, {}, [(1, 1, 10, 0, False)], [(1, 0, 1, SUM)], ends)
    late = storage(1, "forward", SUM)._replace(gone="forward")
    (record,) = account_of(trace, late).log.storages
    assert (record.born, record.gone) == ("forward", "backward")


def test_the_loss_is_marked_at_its_place_in_the_trace() -> None:
    events = [take(10, 100), take(20, 200), take(30, 300)]
    blocks = {10: 100, 20: 200, 30: 300}
    sightings = [(n + 1, 0, 10 * (n + 1), n, False) for n in range(3)]
    runs = [(0, n, n + 1, n + 1) for n in range(3)]
    trace = StepTrace(events, blocks, sightings, runs, [("forward", 3)], loss=2)
    made = [storage(n, "forward", n + 1) for n in range(3)]
    log = StepLog(made, [], [], ("", "aten.mm", "aten.relu", "aten.sum"), loss=(0, 0))
    assert anatomy(account(log, trace, {}).log).loss == 3


@pytest.mark.parametrize(
    ("events", "blocks"),
    [([take(10, 10)], {}), ([take(10, 10)], {10: 11}), ([give(10, 10)], {10: 10})],
)
def test_a_trace_that_contradicts_what_is_allocated_makes_no_account(
    events: list[Event], blocks: dict[int, int]
) -> None:
    with pytest.raises(NoAccount, match="contradicts"):
        account_of(StepTrace(events, blocks, [], [], [("load", 1)]))


def test_a_tensor_outside_the_allocators_memory_makes_no_account() -> None:
    trace = StepTrace([], {}, [(0, 0, 77, 0, False)], [], [("load", 0)])
    with pytest.raises(NoAccount, match="not the caching allocator's"):
        account_of(trace, storage(1, None))


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_the_parts_add_up_to_what_the_allocator_has(seed: int) -> None:
    """Addresses are used again and again; some blocks are seen, in runs, between, or never."""
    chance = random.Random(seed)
    alive = {address: chance.randint(1, 999) for address in range(5)}
    live = [sum(alive.values())]
    events: list[Event] = []
    sightings, runs, ends = [], [], []
    storages: list[StorageRecord] = []
    phase = begin = 0
    for _ in range(300):
        address = chance.randrange(20)
        if address in alive:
            events.append(give(address, alive.pop(address)))
        else:
            alive[address] = chance.randint(1, 999)
            events.append(take(address, alive[address]))
        place = len(events)
        if chance.random() < 0.3:
            runs.append((phase, begin, place, len(runs) + 1))
            begin = place
        if address in alive and chance.random() < 0.5:
            sightings.append((place, phase, address, len(storages), chance.random() < 0.3))
            storages.append(storage(place, chance.choice(["load", None])))
        if chance.random() < 0.05:
            ends.append(("load", place))
            live.append(sum(alive.values()))
            phase, begin = phase + 1, place
    ends.append(("load", len(events)))
    live.append(sum(alive.values()))
    trace = StepTrace(events, alive, sightings, runs, ends)
    log = StepLog(storages, [], [], ("",) * (len(runs) + 1))
    found = account(log, trace, {})
    assert [sum(total) for total in found.totals] == live[1:]
    assert all(min(total) >= 0 for total in found.totals)
    sizes = [sum(size for _, size in found.log.start)]
    for _, changes in found.log.phases:
        sizes.append(sizes[-1] + sum(size for _, size, _ in changes))
    assert sizes[1:] == [total.step for total in found.totals]
