"""The device bar on machines of all kinds."""

from __future__ import annotations

import pytest
from made import HELLO, after, configured, measured
from msgspec.structs import replace
from rich.style import Style
from scripted import Script, begin, painted
from scripted import seen as on_screen
from vramtop.protocol.gpus import Gpu, GpuProcess, GpusReport
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Device, DeviceMemory, Hello
from vramtop.protocol.split import AllocatorMemory, Reading
from vramtop.tui.app.lesson_app import VramtopApp
from vramtop.tui.gpus.condition import Sign
from vramtop.tui.gpus.holders import HolderBytes
from vramtop.tui.state.lesson.folding import begun
from vramtop.tui.terminal.capabilities import Repertoire, Terminal
from vramtop.tui.terminal.palette import ink
from vramtop.tui.widgets.gpus.device_bar import DeviceBar, whole
from vramtop.tui.widgets.gpus.device_usage import Usage, usage
from vramtop.tui.worker.link import Received

GIB, MIB = 2**30, 2**20
GPU = Device("cuda:0", "A GPU", 8 * GIB, "GPU-1")
ON_GPU = (Hello(1, 7, "2.9.0", GPU), replace(configured(), device=GPU))
STEP = AllocatorMemory(
    {"zero_grad": Reading(66 * MIB, 67 * MIB)}, 70 * MIB, MIB, 68 * MIB, 67 * MIB, 64 * MIB, 2, 1
)
BUSY = Gpu(
    index=1, uuid="GPU-1", name="A GPU", total=8 * GIB, reserved=GIB, used=GIB, free=6 * GIB,
    gpu_utilization=37, temperature=54, power=217.4, power_cap=700.0, sm_clock=1980,
    throttled=("software power cap",), processes=(GpuProcess(7, 580 * MIB),),
)  # fmt: skip


def seen(*messages: Received) -> Usage:
    bar = usage(after(*messages))
    assert bar is not None
    return bar


def seen_lines(app: VramtopApp) -> list[str]:
    return on_screen(app).splitlines()


def test_until_the_device_is_known_there_is_nothing_to_tell() -> None:
    assert usage(begun(Settings())) is None


def test_without_a_gpu_it_is_the_machines_memory() -> None:
    bar = seen(HELLO, configured())
    assert (bar.whole_name, bar.whole, bar.parts) == ("machine memory", 16 * GIB, ())


def test_in_a_container_it_is_what_that_allows() -> None:
    bar = seen(Hello(4, 1, "2.9.0", Device("cpu", "A CPU", GIB, container=True)))
    assert (bar.whole_name, bar.whole) == ("container limit", GIB)


def test_without_an_account_of_the_allocators_the_bar_says_so() -> None:
    assert seen(*ON_GPU).facts == ()
    assert seen(*ON_GPU, replace(measured(), allocator=None)).facts == ("allocator N/A",)


def test_a_budget_without_a_gpu_is_held_against_the_peak() -> None:
    bar = seen(HELLO, configured(budget=3 * MIB), measured())
    assert (bar.what, bar.whole_name, bar.whole) == ("peak", "budget", 3 * MIB)
    assert bar.used == measured().anatomy.peak.bytes


def test_on_a_gpu_every_byte_has_its_holder() -> None:
    bar = seen(*ON_GPU, replace(measured(), allocator=STEP), GpusReport((BUSY,)))
    assert sum(part.bytes for part in bar.parts) == bar.whole == 8 * GIB
    assert bar.used == 2 * GIB
    assert HolderBytes("context", 510 * MIB) in bar.parts


def test_what_nvidia_smi_tells_stands_beside_it() -> None:
    bar = seen(*ON_GPU, replace(measured(), allocator=STEP), GpusReport((BUSY,)))
    assert list(bar.facts) == [
        "37%", "54°C", "217/700 W", "1980 MHz",
        "1.00M in fragments", "2 retries", "1 × out of memory",
    ]  # fmt: skip
    assert bar.trouble == ""
    assert bar.signs == (Sign("software power cap", "warning"),)


def test_a_training_on_a_mig_instance_has_the_memory_of_the_instance() -> None:
    ours = Gpu(
        2, "MIG-5", "A GPU MIG 1g", 8 * GIB, GIB, GIB, 6 * GIB,
        processes=(GpuProcess(7, 580 * MIB),),
    )  # fmt: skip
    other = replace(ours, index=0, uuid="MIG-4", processes=())
    split = replace(BUSY, uuid="GPU-9", total=80 * GIB, free=60 * GIB, instances=(other, ours))
    device = replace(GPU, uuid="GPU-5")
    on_it = (Hello(1, 7, "2.9.0", device), replace(configured(), device=device))
    bar = seen(*on_it, replace(measured(), allocator=STEP), GpusReport((split,)))
    assert bar.trouble == ""
    assert sum(part.bytes for part in bar.parts) == bar.whole == 8 * GIB
    assert HolderBytes("context", 510 * MIB) in bar.parts
    assert bar.facts[:2] == ("37%", "54°C")  # the sensors are the whole GPU's


def test_memory_that_nvml_does_not_tell_comes_from_cuda_and_says_so() -> None:
    unknown = replace(BUSY, total=None, reserved=None, used=None, free=None)
    said = replace(measured(), allocator=STEP, device_memory=DeviceMemory(8 * GIB, 5 * GIB))
    bar = seen(*ON_GPU, said, GpusReport((unknown,)))
    assert bar.what == "in use, says CUDA"
    assert (bar.used, bar.whole) == (3 * GIB, 8 * GIB)
    assert bar.parts[0] == HolderBytes("others", 3 * GIB - 580 * MIB)
    assert bar.parts[-1] == HolderBytes("free", 5 * GIB)
    assert seen(*ON_GPU, said, GpusReport((BUSY,))).what == "in use"


def test_what_cuda_said_of_another_device_is_forgotten() -> None:
    unknown = replace(BUSY, uuid="GPU-2", total=None, free=None)
    said = replace(measured(), allocator=STEP, device_memory=DeviceMemory(8 * GIB, 5 * GIB))
    there = replace(GPU, name="cuda:1", uuid="GPU-2")
    moved = replace(configured(device="cuda:1"), device=there)
    assert seen(*ON_GPU, said, moved, GpusReport((unknown,))).used is None


HOT = replace(BUSY, temperature=91, slowdown_at=90, throttled=("hardware slowdown",))


async def test_on_a_gpu_the_bar_has_room_for_who_holds_the_memory(app: VramtopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await begin(pilot, HELLO, configured())
        before = app.query_one(DeviceBar).size.height
        await begin(pilot, *ON_GPU)
        assert app.query_one(DeviceBar).size.height == before + 2
        await begin(pilot, replace(configured(), device=HELLO.device))
        assert app.query_one(DeviceBar).size.height == before


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("characters", ["unicode", "ascii"])
async def test_heat_and_a_slowdown_stand_out_beside_the_bar(
    size: tuple[int, int], characters: Repertoire
) -> None:
    script = Script()

    app = VramtopApp(Settings(), script.start, terminal=Terminal(characters=characters))
    named = replace(GPU, description="NVIDIA H100 80GB HBM3")
    on_it = (Hello(1, 7, "2.9.0", named), replace(configured(), device=named))
    async with app.run_test(size=size) as pilot:
        await painted(pilot, *on_it, replace(measured(), allocator=STEP), GpusReport((HOT,)))
        (line,) = [line for line in seen_lines(app) if "in use" in line]
        degree = "°" if characters == "unicode" else ""
        assert f"! 91{degree}" in line
        assert "! hardware slowdown" in line
        assert "H100" in line
        bar = app.screen.query_one(DeviceBar)
        shown = usage(app.state)
        text = bar.draw((shown, ""), size[0] - 2, 4).split("\n")[0]
        loud = {
            text.plain[span.start : span.end]
            for span in text.spans
            if isinstance(span.style, Style) and span.style == ink(bar.palette.trouble, bold=True)
        }
        assert loud == {"! 91°C", "! hardware slowdown"}


def test_what_the_gpu_does_not_tell_is_not_available() -> None:
    bar = seen(*ON_GPU, GpusReport((Gpu(0, "GPU-1", total=8 * GIB, free=8 * GIB),)))
    assert bar.facts == ("N/A%", "N/A°C", "N/A W", "N/A MHz")


@pytest.mark.parametrize(
    ("room", "text"),
    [(20, "37% · 54°C · 217 W"), (18, "37% · 54°C · 217 W"), (17, "37% · 54°C"), (2, "")],
)
def test_where_room_is_short_a_fact_is_left_out_and_none_is_cut(room: int, text: str) -> None:
    assert " · ".join(whole(("37%", "54°C", "217 W"), room)) == text


@pytest.mark.parametrize(
    ("report", "trouble"),
    [
        (GpusReport((Gpu(0, "GPU-1", trouble="the GPU is lost"),)), "the GPU is lost"),
        (GpusReport(trouble="driver/library version mismatch"), "driver/library version mismatch"),
        (GpusReport((Gpu(0, "GPU-2"),)), "NVML does not list this GPU"),
    ],
)
def test_a_gpu_that_cannot_be_asked_says_why_and_keeps_what_our_allocator_knows(
    report: GpusReport, trouble: str
) -> None:
    bar = seen(*ON_GPU, replace(measured(), allocator=STEP), report)
    assert bar.trouble == trouble
    assert sum(part.bytes for part in bar.parts) == 8 * GIB
    assert bar.parts[-1] == HolderBytes("others or free", 8 * GIB - 70 * MIB)


def test_an_apple_gpu_tells_what_is_live_and_what_is_taken() -> None:
    device = Device("mps", "Apple GPU", 8 * GIB)
    metal = AllocatorMemory({"zero_grad": Reading(None, 3 * MIB)}, 5 * MIB)
    bar = seen(Hello(1, 7, "2.9.0", device), replace(measured(), allocator=metal))
    assert bar.parts == (
        HolderBytes("step", 3 * MIB),
        HolderBytes("cache", 2 * MIB),
        HolderBytes("others or free", 8 * GIB - 5 * MIB),
    )
    assert (bar.facts, bar.trouble) == ((), "")
