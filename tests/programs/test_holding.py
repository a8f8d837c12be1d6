"""What is nobody's has the name by which the program holds it, or is known to be PyTorch's own."""

from __future__ import annotations

import pytest
from holding import KEPT
from sizes import CLASSES, FLOAT, IMAGES
from vramtop.accounting.program.other import AUTOCAST
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.record import Holders
from vramtop.protocol.observed.report import Held


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_the_program_names_what_it_keeps(observe, device: str) -> None:
    observed = observe("holding.trainer", device)
    (answer,) = [each for each in observed.messages if isinstance(each, Holders)]
    names = {each.address: each.what for each in answer.holders}
    asked = next(each for each in observed.steps if dict(each.blocks).keys() <= names.keys())
    reported, plain = report(asked, 1, names), report(asked, 1)
    others = {held.what: held for held in reported.other}
    mean = others["mean of Trainer in holding.py"]
    assert (mean.bytes, mean.count) == (FLOAT * KEPT, 1)
    history = others["history of Trainer in holding.py"]
    assert history.bytes == history.count * 6 * FLOAT * IMAGES * CLASSES
    assert (reported.curve, reported.high_water, reported.unattributed) == (
        plain.curve, plain.high_water, plain.unattributed,
    )  # fmt: skip
    assert sum(held.bytes for held in reported.other) == reported.high_water.other


def test_the_copies_of_an_autocast_around_all_steps_are_known(observe) -> None:
    reported = report(observe("holding.autocast_around_steps", "cuda:0").steps[-1], 1)
    assert Held(2 * (32 * 64 + 64), 2, AUTOCAST, "") in reported.other
