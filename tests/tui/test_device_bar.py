"""The device bar on machines of all kinds."""

from __future__ import annotations

from functools import reduce

import pytest
from made import HELLO, configured, measured
from msgspec.structs import replace
from vramtop.trainer.protocol import Device, Hello
from vramtop.trainer.settings import Settings
from vramtop.trainer.split import AllocatorMemory, Reading
from vramtop.tui.cards import Card, CardsReport, GpuProcess
from vramtop.tui.holders import Held
from vramtop.tui.link import Received
from vramtop.tui.state import State, fold
from vramtop.tui.widgets.device import Usage, usage, whole

GIB, MIB = 2**30, 2**20
GPU = Device("cuda:0", "A card", 8 * GIB, "GPU-1")
ON_GPU = (Hello(1, 7, "2.9.0", GPU), replace(configured(), device=GPU))
STEP = AllocatorMemory(
    {"zero_grad": Reading(66 * MIB, 67 * MIB)}, 70 * MIB, MIB, 68 * MIB, 67 * MIB, 64 * MIB, 2, 1
)
CARD = Card(
    index=1, uuid="GPU-1", name="A card", total=8 * GIB, reserved=GIB, used=GIB, free=6 * GIB,
    gpu_utilization=37, temperature=54, power=217.4, power_cap=700.0, sm_clock=1980,
    throttled=("software power cap",), processes=(GpuProcess(7, 580 * MIB),),
)  # fmt: skip


def seen(*messages: Received) -> Usage:
    told = usage(reduce(fold, messages, State(Settings())))
    assert told is not None
    return told


def test_until_the_device_is_known_there_is_nothing_to_tell() -> None:
    assert usage(State(Settings())) is None


def test_without_a_gpu_it_is_the_machines_memory() -> None:
    told = seen(HELLO, configured())
    assert (told.whole_name, told.whole, told.parts) == ("machine memory", 16 * GIB, ())


def test_a_budget_without_a_gpu_is_held_against_the_peak() -> None:
    told = seen(HELLO, configured(budget=3 * MIB), measured())
    assert (told.what, told.whole_name, told.whole) == ("peak", "budget", 3 * MIB)
    assert told.used == measured().anatomy.peak.bytes


def test_on_a_card_every_byte_has_its_holder() -> None:
    told = seen(*ON_GPU, replace(measured(), allocator=STEP), CardsReport((CARD,)))
    assert sum(part.bytes for part in told.parts) == told.whole == 8 * GIB
    assert told.used == 2 * GIB
    assert Held("context", 510 * MIB) in told.parts


def test_what_nvidia_smi_tells_stands_beside_it() -> None:
    told = seen(*ON_GPU, replace(measured(), allocator=STEP), CardsReport((CARD,)))
    assert list(told.facts) == [
        "37%", "54°C", "217/700 W", "1980 MHz", "software power cap",
        "1.00M in fragments", "2 retries", "1 × out of memory",
    ]  # fmt: skip
    assert told.trouble == ""


def test_what_the_card_does_not_tell_is_not_available() -> None:
    told = seen(*ON_GPU, CardsReport((Card(0, "GPU-1", total=8 * GIB, free=8 * GIB),)))
    assert told.facts == ("N/A%", "N/A°C", "N/A W", "N/A MHz")


@pytest.mark.parametrize(
    ("room", "told"),
    [(20, "37% · 54°C · 217 W"), (18, "37% · 54°C · 217 W"), (17, "37% · 54°C"), (2, "")],
)
def test_where_room_is_short_a_fact_is_left_out_and_none_is_cut(room: int, told: str) -> None:
    assert whole(("37%", "54°C", "217 W"), room) == told


@pytest.mark.parametrize(
    ("report", "trouble"),
    [
        (CardsReport((Card(0, "GPU-1", trouble="the GPU is lost"),)), "the GPU is lost"),
        (CardsReport(trouble="driver/library version mismatch"), "driver/library version mismatch"),
        (CardsReport((Card(0, "GPU-2"),)), "NVML does not list this GPU"),
    ],
)
def test_a_card_that_cannot_be_asked_says_why_and_keeps_what_our_allocator_knows(
    report: CardsReport, trouble: str
) -> None:
    told = seen(*ON_GPU, replace(measured(), allocator=STEP), report)
    assert told.trouble == trouble
    assert sum(part.bytes for part in told.parts) == 8 * GIB
    assert told.parts[-1] == Held("others or free", 8 * GIB - 70 * MIB)


def test_an_apple_gpu_tells_what_is_live_and_what_is_taken() -> None:
    device = Device("mps", "Apple GPU", 8 * GIB)
    metal = AllocatorMemory({"zero_grad": Reading(None, 3 * MIB)}, 5 * MIB)
    told = seen(Hello(1, 7, "2.9.0", device), replace(measured(), allocator=metal))
    assert told.parts == (
        Held("step", 3 * MIB),
        Held("cache", 2 * MIB),
        Held("others or free", 8 * GIB - 5 * MIB),
    )
    assert (told.facts, told.trouble) == ((), "")
