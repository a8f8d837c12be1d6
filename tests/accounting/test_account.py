"""An account by an allocator's trace, of histories written out here."""

from __future__ import annotations

import random

import pytest
from vramtop.accounting.account import Notes, Run, Sighting, Total, account
from vramtop.accounting.anatomy import Life, anatomy
from vramtop.observer.trace import Event, History, NoAccount

OPERATION: tuple[object] = ("aten.sum",)


def take(address: int, size: int) -> Event:
    return Event(False, address, size)


def give(address: int, size: int) -> Event:
    return Event(True, address, size)


def test_buffers_results_workspaces_and_older_blocks_are_told_apart() -> None:
    """An operator takes a result of 10, a buffer of 200 and a workspace of 3,000."""
    older, result = Life(1, None, ("",)), Life(2, "load", OPERATION)
    older.category = "parameters"
    events = [take(10, 10), take(20, 200), give(90, 50_000), take(30, 3_000), give(20, 200)]
    notes = Notes(
        sightings=[Sighting(0, 0, 80, older, False), Sighting(5, 0, 10, result, False)],
        runs=[Run(0, 0, 5, OPERATION)],
        ends=[("load", 5)],
    )
    alive = {80: 400_000, 10: 10, 30: 3_000}
    found = account(History(events, alive), notes, {})
    assert found.log[0] == [(older, 400_000)]
    assert found.totals == [Total(400_010, 3_000, 0)]
    assert found.workspaces == {30: 3_000}
    step = anatomy(*found.log)
    assert step.peak.bytes == 400_210
    assert [moment.split.temporaries for moment in step.curve] == [0, 210, 10]


def test_a_buffer_given_back_before_the_result_is_taken_does_not_add_to_it() -> None:
    result = Life(2, "load", OPERATION)
    events = [take(20, 150), give(20, 150), take(20, 100)]
    notes = Notes([Sighting(3, 0, 20, result, False)], [Run(0, 0, 3, OPERATION)], [("load", 3)])
    step = anatomy(*account(History(events, {20: 100}), notes, {}).log)
    assert [moment.split.total for moment in step.curve] == [0, 150, 0, 100]


def test_a_workspace_is_known_again_by_its_address_and_subtracted_by_it() -> None:
    notes = Notes(ends=[("load", 0), ("forward", 1)])
    found = account(History([give(30, 3_000)], {40: 9}), notes, {30: 3_000, 40: 8})
    assert found.totals == [Total(0, 3_000, 9), Total(0, 0, 9)]
    assert found.workspaces == {}


def test_a_batch_made_before_counts_from_where_it_is_declared() -> None:
    batch = Life(1, "load", ("batch",))
    notes = Notes([Sighting(0, 1, 50, batch, True)], [], [("load", 0), ("load", 0)])
    found = account(History([], {50: 500}), notes, {})
    assert found.totals == [Total(0, 0, 500), Total(500, 0, 0)]


def test_a_storage_that_grows_elsewhere_is_both_blocks_while_it_is_copied() -> None:
    life = Life(1, None, ("",))
    notes = Notes(
        [Sighting(0, 0, 10, life, False), Sighting(2, 0, 20, life, False)],
        [Run(0, 0, 2, OPERATION)],
        [("load", 2)],
    )
    found = account(History([take(20, 200), give(10, 100)], {20: 200}), notes, {})
    assert anatomy(*found.log).peak.bytes == 300
    assert found.totals == [Total(200, 0, 0)]


@pytest.mark.parametrize(
    "history",
    [
        History([take(10, 10)], {}),
        History([take(10, 10)], {10: 11}),
        History([give(10, 10)], {10: 10}),
    ],
)
def test_a_trace_that_contradicts_what_is_allocated_makes_no_account(history: History) -> None:
    with pytest.raises(NoAccount, match="contradicts"):
        account(history, Notes(ends=[("load", 1)]), {})


def test_a_tensor_in_foreign_memory_makes_no_account() -> None:
    seen = Sighting(0, 0, 77, Life(1, None, ("",)), False)
    with pytest.raises(NoAccount, match="not the caching allocator's"):
        account(History([], {}), Notes([seen], [], [("load", 0)]), {})


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_the_parts_add_up_to_what_the_allocator_has(seed: int) -> None:
    """Addresses are used again and again; some blocks are seen, in runs, between, or never."""
    chance = random.Random(seed)
    alive = {address: chance.randint(1, 999) for address in range(5)}
    events: list[Event] = []
    notes, live = Notes(), [sum(alive.values())]
    page = begin = 0
    for _ in range(300):
        address = chance.randrange(20)
        if address in alive:
            events.append(give(address, alive.pop(address)))
        else:
            alive[address] = chance.randint(1, 999)
            events.append(take(address, alive[address]))
        place = len(events)
        if chance.random() < 0.3:
            notes.runs.append(Run(page, begin, place, (object(),)))
            begin = place
        if address in alive and chance.random() < 0.5:
            life = Life(place, chance.choice(["load", None]), ("",))
            notes.sightings.append(Sighting(place, page, address, life, chance.random() < 0.3))
        if chance.random() < 0.05:
            notes.ends.append(("load", place))
            live.append(sum(alive.values()))
            page, begin = page + 1, place
    notes.ends.append(("load", len(events)))
    live.append(sum(alive.values()))
    found = account(History(events, alive), notes, {})
    assert [sum(total) for total in found.totals] == live[1:]
    assert all(min(total) >= 0 for total in found.totals)
    sizes = [sum(size for _, size in found.log[0])]
    for _, changes in found.log[1]:
        sizes.append(sizes[-1] + sum(size for _, size, _ in changes))
    assert sizes[1:] == [total.step for total in found.totals]
