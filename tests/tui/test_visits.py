"""What is kept of each batch size that was tried."""

from __future__ import annotations

from functools import reduce

import pytest
from made import HELLO, configured, measured, sample
from vramtop.trainer.protocol import Evaluated, OutOfMemory
from vramtop.trainer.settings import Settings
from vramtop.trainer.split import Split
from vramtop.tui.link import Received
from vramtop.tui.state import State, fold
from vramtop.tui.visits import Learned, Visit, epochs_between

BEGUN = (HELLO, configured(), sample(), measured())
SHORTAGE = OutOfMemory(8192, 43_200_000, 24 * 2**20, "forward", "relu", Split(), 64, "no")


def visits(*messages: Received) -> dict[int, Visit]:
    state = reduce(fold, messages, State(Settings()))
    assert [v.batch_size for v in state.visited] == sorted({v.batch_size for v in state.visited})
    return {visit.batch_size: visit for visit in state.visited}


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
def test_losses_are_compared_over_about_as_many_images_of_any_data(
    images: int, epochs: int
) -> None:
    assert epochs_between(images) == epochs


def test_the_loss_is_compared_between_two_ends_of_epochs_of_one_size() -> None:
    told = [evaluated(epoch, 1 / epoch) for epoch in range(3, 10)]
    assert visits(*BEGUN, *told[:5])[64].learned is None
    assert visits(*BEGUN, *told)[64].learned == Learned(1 / 3, 1 / 8, 30_000)


@pytest.mark.parametrize("change", [{"batch_size": 128}, {"learning_rate": 0.1}])
def test_a_change_in_between_begins_the_comparison_anew(change: dict[str, object]) -> None:
    told = [evaluated(epoch, 1 / epoch) for epoch in range(3, 8)]
    after = visits(*BEGUN, *told, configured(**change), evaluated(8, 0.1), evaluated(9, 0.1))
    assert all(visit.learned is None for visit in after.values())


def test_a_size_that_comes_back_keeps_what_it_learned_until_it_has_learned_again() -> None:
    first = [evaluated(epoch, 1 / epoch) for epoch in range(1, 7)]
    again = [evaluated(epoch, 1 / epoch) for epoch in range(7, 13)]
    back = (*BEGUN, *first, configured(batch_size=128), configured())
    assert visits(*back, *again[:5])[64].learned == Learned(1 / 1, 1 / 6, 30_000)
    assert visits(*back, *again)[64].learned == Learned(1 / 7, 1 / 12, 30_000)


def test_a_size_that_did_not_fit_has_what_it_needed_and_what_there_was() -> None:
    visit = visits(*BEGUN, configured(batch_size=8192), SHORTAGE)[8192]
    assert (visit.out_of_memory, visit.peak, visit.limit) == (True, 43_200_000, 24 * 2**20)


def test_a_size_that_fits_at_last_is_no_longer_out_of_memory() -> None:
    again = (configured(batch_size=8192), measured(8192))
    visit = visits(*BEGUN, configured(batch_size=8192), SHORTAGE, configured(), *again)[8192]
    assert (visit.out_of_memory, visit.limit) == (False, None)
    assert visit.peak == measured(8192).anatomy.peak.bytes
