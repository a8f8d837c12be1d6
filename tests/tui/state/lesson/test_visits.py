"""What is kept of each batch size that was tried."""

from __future__ import annotations

import pytest
from made import BEGUN, HELLO, after, configured, measured, out_of_memory, sample
from msgspec.structs import replace
from vramtop.protocol.lesson.messages import Compared, Evaluated
from vramtop.protocol.lesson.settings import Settings
from vramtop.tui.state.lesson.visits import Learned, Visit, epochs_between
from vramtop.tui.worker.link import Received

FAIR = Compared(Settings(), 30_000, 2.3, 0.25, 0.9, measured().anatomy, 2e-3, 32e3)
OUT_OF_MEMORY = out_of_memory()


def visits(*messages: Received) -> dict[int, Visit]:
    state = after(*messages)
    assert [v.batch_size for v in state.lesson.visited] == sorted(
        {v.batch_size for v in state.lesson.visited}
    )
    return {visit.batch_size: visit for visit in state.lesson.visited}


def evaluated(epoch: int, loss: float) -> Evaluated:
    return Evaluated(epoch, loss, 0.9, 1000, 1000, None)


def test_a_visit_has_the_bytes_the_formula_and_the_speed() -> None:
    visit = visits(*BEGUN)[64]
    anatomy = measured().anatomy
    assert (visit.peak, visit.high_water) == (anatomy.peak.bytes, anatomy.high_water)
    assert visit.formula == 4 * 4 * 101_770 + 64 * (4 * 784 + 512)
    assert (visit.step_seconds, visit.samples_per_second) == (1e-3, 64e3)


@pytest.mark.parametrize(
    ("images", "epochs"), [(6_000, 5), (60_000, 1), (50_000, 1), (1_000_000, 1), (100, 300)]
)
def test_losses_are_compared_over_as_many_images_whatever_the_dataset(
    images: int, epochs: int
) -> None:
    assert epochs_between(images) == epochs


def test_the_loss_is_compared_between_two_ends_of_epochs_of_one_size() -> None:
    messages = [evaluated(epoch, 1 / epoch) for epoch in range(3, 10)]
    assert visits(*BEGUN, *messages[:5])[64].learned is None
    assert visits(*BEGUN, *messages)[64].learned == Learned(1 / 3, 1 / 8, 30_000, 18_000, 1e-3)


@pytest.mark.parametrize("change", [{"batch_size": 128}, {"learning_rate": 0.1}])
def test_a_change_in_between_begins_the_comparison_anew(change: dict[str, object]) -> None:
    messages = [evaluated(epoch, 1 / epoch) for epoch in range(3, 8)]
    found = visits(*BEGUN, *messages, configured(**change), evaluated(8, 0.1), evaluated(9, 0.1))
    assert all(visit.learned is None for visit in found.values())


def test_what_began_earlier_is_kept_whatever_comes_later() -> None:
    first = [evaluated(epoch, 1 / epoch) for epoch in range(1, 7)]
    again = [evaluated(epoch, 1 / epoch) for epoch in range(7, 13)]
    back = (*BEGUN, *first, configured(batch_size=128), configured())
    assert visits(*back, *again)[64].learned == Learned(1 / 1, 1 / 6, 30_000, 6_000, 1e-3)


def test_what_began_later_gives_way_after_fresh_weights() -> None:
    late = [evaluated(epoch, 1 / epoch) for epoch in range(7, 13)]
    early = [evaluated(epoch, 2 / epoch) for epoch in range(1, 7)]
    fresh = replace(configured(), fresh=True)
    messages = (*BEGUN, *late, fresh, *early)
    assert visits(*messages)[64].learned == Learned(2 / 1, 2 / 6, 30_000, 6_000, 1e-3)


def test_parameters_that_went_back_begin_the_comparison_anew() -> None:
    messages = [evaluated(epoch, 1 / epoch) for epoch in (7, 8, 3, 4, 5, 6, 7, 8)]
    assert visits(*BEGUN, *messages)[64].learned == Learned(1 / 3, 1 / 8, 30_000, 18_000, 1e-3)


def test_losses_of_another_learning_rate_are_back_with_it() -> None:
    first = [evaluated(epoch, 1 / epoch) for epoch in range(1, 7)]
    other = [evaluated(epoch, 0.1) for epoch in range(7, 13)]
    there = (*BEGUN, *first, configured(learning_rate=0.1))
    assert visits(*there)[64].learned is None
    assert visits(*there, *other)[64].learned == Learned(0.1, 0.1, 30_000, 42_000, 0.1)
    back = visits(*there, *other, configured())[64]
    assert back.learned == Learned(1 / 1, 1 / 6, 30_000, 6_000, 1e-3)


def test_a_fair_loss_stands_beside_the_live_one() -> None:
    first = [evaluated(epoch, 1 / epoch) for epoch in range(1, 7)]
    visit = visits(*BEGUN, *first, FAIR)[64]
    assert visit.fair == Learned(2.3, 0.25, 30_000, 0, 1e-3)
    assert visit.learned == Learned(1 / 1, 1 / 6, 30_000, 6_000, 1e-3)
    assert (visit.peak, visit.samples_per_second) == (measured().anatomy.peak.bytes, 64e3)


def test_a_size_that_was_only_compared_has_its_bytes_and_speed() -> None:
    there = replace(FAIR, settings=Settings(batch_size=256), anatomy=measured(256).anatomy)
    visit = visits(*BEGUN, there)[256]
    assert visit.peak == measured(256).anatomy.peak.bytes
    assert visit.formula == 4 * 4 * 101_770 + 256 * (4 * 784 + 512)
    assert (visit.step_seconds, visit.samples_per_second) == (2e-3, 32e3)


def test_a_size_that_ran_before_is_not_crossed_out_by_a_comparison() -> None:
    short = Compared(Settings(), 30_000, out_of_memory=True, needed=2**30, limit=2**20)
    assert not visits(*BEGUN, short)[64].out_of_memory
    other = replace(short, settings=Settings(batch_size=4096))
    visit = visits(*BEGUN, other)[4096]
    assert (visit.out_of_memory, visit.peak, visit.limit) == (True, 2**30, 2**20)


def test_a_size_that_runs_out_of_memory_keeps_what_it_had_learned() -> None:
    first = [evaluated(epoch, 1 / epoch) for epoch in range(1, 7)]
    short = replace(OUT_OF_MEMORY, batch_size=64, restored=None)
    messages = (*BEGUN, *first, FAIR, short)
    visit = visits(*messages)[64]
    assert visit.out_of_memory
    assert visit.learned is not None
    assert visit.fair is not None
    again = visits(*messages, configured(budget=2**30))[64]
    assert (again.out_of_memory, again.peak, again.fair) == (False, None, visit.fair)


def test_settled_bytes_do_not_give_way_to_those_of_a_first_step() -> None:
    first = replace(measured(), settled=False, anatomy=measured(32).anatomy)
    assert visits(*BEGUN, first)[64].peak == measured().anatomy.peak.bytes
    begun = (HELLO, configured(), sample(), first)
    assert visits(*begun)[64].peak == measured(32).anatomy.peak.bytes


def test_a_size_that_did_not_fit_has_what_it_needed_and_what_there_was() -> None:
    visit = visits(*BEGUN, configured(batch_size=8192), OUT_OF_MEMORY)[8192]
    assert (visit.out_of_memory, visit.peak, visit.limit) == (True, 43_200_000, 24 * 2**20)


def test_a_size_that_fits_at_last_is_no_longer_out_of_memory() -> None:
    again = (configured(batch_size=8192), measured(8192))
    visit = visits(*BEGUN, configured(batch_size=8192), OUT_OF_MEMORY, configured(), *again)[8192]
    assert (visit.out_of_memory, visit.limit) == (False, None)
    assert visit.peak == measured(8192).anatomy.peak.bytes
