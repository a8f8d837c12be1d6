"""The sampling thread, from the loop that listens to it."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from vramtop.protocol.gpus import GpusReport
from vramtop.tui.gpus import sampler
from vramtop.tui.gpus.nvml import NO_DRIVER
from vramtop.tui.gpus.readings import Reader
from vramtop.tui.gpus.sampler import RETRY_SECONDS, Sampler, retry_seconds

if TYPE_CHECKING:
    from conftest import Machine

SECONDS = 0.001
LIMIT_SECONDS = 10
LOST, NOT_LOADED, MISMATCH = 15, 9, 18


@asynccontextmanager
async def sampling(**options: Any) -> AsyncIterator[Callable[..., Any]]:
    """A sampler at work; what it gives waits for a report that meets a condition."""
    sampler = Sampler(SECONDS, **options)
    reports = sampler.reports()

    async def until(condition: Callable[[GpusReport], bool]) -> GpusReport:
        while True:
            report = await asyncio.wait_for(anext(reports), LIMIT_SECONDS)
            if condition(report):
                return report

    try:
        yield until
    finally:
        sampler.close()


def healthy(report: GpusReport) -> bool:
    return report.trouble is None and not any(gpu.trouble for gpu in report.gpus)


async def test_reports_follow_the_machine(nvml: Machine) -> None:
    nvml.has(devices=1)
    async with sampling() as until:
        await until(lambda report: report.gpus[0].used == 0)
        nvml.has(devices=1, processes="4000000:0:1024")
        await until(lambda report: report.gpus[0].used == 1024)
        nvml.has(devices=1)
        report = await until(lambda report: report.gpus[0].used == 0)
        assert report.gpus[0].processes == ()


@pytest.mark.parametrize(
    ("faults", "trouble"),
    [
        ({"*": NOT_LOADED}, "the NVIDIA driver is not loaded"),
        ({"*": MISMATCH}, "NVIDIA driver/library version mismatch"),
        ({"nvmlDeviceGetTemperature": NOT_LOADED}, "the NVIDIA driver is not loaded"),
        ({"*": LOST}, "NVML does not answer: the GPU is lost"),
    ],
)
async def test_a_failure_is_reported_once_and_recovered_from(
    nvml: Machine, faults: dict[str, int], trouble: str
) -> None:
    async with sampling() as until:
        before = await until(healthy)
        nvml.fails(faults)
        report = await until(lambda report: report.trouble is not None)
        assert report.trouble == trouble
        assert [gpu.uuid for gpu in report.gpus] == [gpu.uuid for gpu in before.gpus]
        nvml.fails({})
        # The next news after the failure is that it is over.
        assert healthy(await until(lambda _: True))


async def test_a_lost_gpu_is_looked_for_by_beginning_anew(
    nvml: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()
    close = Reader.close

    def closing(reader: Reader) -> None:
        close(reader)
        begun.set()

    async with sampling() as until:
        await until(healthy)
        monkeypatch.setattr(Reader, "close", closing)
        nvml.fails({"nvmlDeviceGetHandleByIndex_v2": LOST})
        report = await until(lambda report: report.gpus[0].trouble is not None)
        assert report.trouble is None
        assert await asyncio.to_thread(begun.wait, LIMIT_SECONDS)
        nvml.fails({})
        await until(healthy)


@pytest.mark.parametrize("code", [1, 3, 4, 7, 9, 12, 13, 15, 16, 18, 999])
@pytest.mark.parametrize("function", ["nvmlInit_v2", "nvmlDeviceGetPowerUsage", "*"])
async def test_any_fault_comes_and_goes_while_the_sampler_runs(
    nvml: Machine, monkeypatch: pytest.MonkeyPatch, function: str, code: int
) -> None:
    monkeypatch.setattr(sampler, "RETRY_SECONDS", 0.005)
    async with sampling() as until:
        before = await until(healthy)
        # NVML is only initialized anew after another failure.
        first = {"nvmlDeviceGetCount_v2": 999} if function == "nvmlInit_v2" else {}
        nvml.fails({function: code, **first})
        report = await until(lambda report: not healthy(report) or report.gpus[0].power is None)
        assert [gpu.uuid for gpu in report.gpus] == [gpu.uuid for gpu in before.gpus]
        nvml.fails({})
        await until(lambda report: healthy(report) and report.gpus[0].power is not None)


async def test_all_fields_can_fail_together_and_come_back(nvml: Machine) -> None:
    nvml.has(devices=8)
    async with sampling() as until:
        before = await until(healthy)
        nvml.fails(
            {
                "nvmlSystemGetDriverVersion": 999,
                "nvmlDeviceGetName": 3,
                "nvmlDeviceGetMemoryInfo_v2": 13,
                "nvmlDeviceGetMemoryInfo": 3,
                "nvmlDeviceGetComputeRunningProcesses_v2": 7,
                "nvmlDeviceGetUtilizationRates": 3,
                "nvmlDeviceGetTemperature": 999,
                "nvmlDeviceGetPowerUsage": 4,
            }
        )
        # A round that begins with this refusal goes on with all others.
        report = await until(lambda report: "name" in report.gpus[0].refused)
        assert report.driver_version is None
        for gpu, known in zip(report.gpus, before.gpus, strict=True):
            assert gpu.trouble is None
            assert (gpu.uuid, gpu.name) == (known.uuid, known.name)
            assert (gpu.total, gpu.used, gpu.processes) == (None, None, None)
            assert (gpu.gpu_utilization, gpu.temperature, gpu.power) == (None, None, None)
        nvml.fails({})
        report = await until(lambda report: "name" not in report.gpus[0].refused)
        assert report.driver_version is not None
        assert [gpu.processes for gpu in report.gpus] == [()] * 8


# ---- intervals ----------------------------------------------------------------------------------


def test_retries_grow_rarer_up_to_ten_seconds() -> None:
    waits = [retry_seconds("the GPU is lost", failures, 1.0) for failures in range(6)]
    assert waits == [1, 2, 4, 8, 10, 10]
    assert retry_seconds("the GPU is lost", 10**9, 1.0) == RETRY_SECONDS


async def test_after_a_recovery_the_intervals_begin_anew(
    nvml: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    def counting(trouble: str | None, failures: int, seconds: float) -> float:
        counts.append(failures)
        return retry_seconds(trouble, failures, seconds)

    monkeypatch.setattr(sampler, "retry_seconds", counting)
    async with sampling() as until:
        for _ in range(2):
            nvml.fails({"*": NOT_LOADED})
            await until(lambda report: report.trouble is not None)
            nvml.fails({})
            await until(healthy)
    assert counts.count(0) == 2


def test_where_there_is_no_driver_one_asks_rarely_from_the_start() -> None:
    assert retry_seconds(NO_DRIVER, 0, 1.0) == RETRY_SECONDS == 10


async def test_without_a_driver_there_is_one_report_and_hardly_a_question(
    nvml: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml.is_absent()
    monkeypatch.setattr(sampler, "RETRY_SECONDS", 0.02)
    times: list[float] = []
    thrice = threading.Event()
    read = Reader.read

    def reading(reader: Reader) -> GpusReport:
        times.append(time.monotonic())
        if len(times) == 3:
            thrice.set()
        return read(reader)

    monkeypatch.setattr(Reader, "read", reading)
    async with sampling() as until:
        report = await until(lambda _: True)
        assert report == GpusReport(trouble=NO_DRIVER)
        following = asyncio.ensure_future(until(lambda _: True))
        assert await asyncio.to_thread(thrice.wait, LIMIT_SECONDS)
        assert not following.done()
        following.cancel()
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= 0.02


# ---- the thread and the loop --------------------------------------------------------------------


async def test_a_slow_listener_gets_the_latest_report_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reports = [GpusReport(driver_version=str(number)) for number in range(5)]
    waiting = iter(reports)
    all_read = threading.Event()

    def reading(_: Reader) -> GpusReport:
        report = next(waiting, None)
        if report is None:
            all_read.set()
        return report or reports[-1]

    monkeypatch.setattr(Reader, "read", reading)
    async with sampling() as until:
        all_read.wait(LIMIT_SECONDS)  # the loop stands still meanwhile
        assert await until(lambda _: True) == reports[-1]


async def test_a_driver_that_hangs_is_said_and_holds_nobody_up(
    nvml: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "CLOSE_SECONDS", 0.02)
    nvml.has(devices=1)
    released, hanging = threading.Event(), threading.Event()

    def hang(_: object) -> int:
        hanging.set()
        released.wait(LIMIT_SECONDS)
        return 217_000

    try:
        # Long enough for a machine that is busy, so that only the driver is waited for.
        async with sampling(patience_seconds=0.5) as until:
            await until(healthy)
            nvml.answers(nvmlDeviceGetPowerUsage=hang)
            report = await until(lambda report: report.trouble is not None)
            assert hanging.is_set()
            assert report.trouble == "the driver has not answered for 0.5 s"
            assert report.gpus[0].power is None
            assert report.gpus[0].name == "NVIDIA Simulated X100-0"
            released.set()
            assert healthy(await until(lambda _: True))
            released.clear()
            hanging.clear()
            await until(lambda report: report.trouble is not None)
            began = time.monotonic()
        assert time.monotonic() - began < LIMIT_SECONDS / 2
    finally:
        released.set()
        for thread in threading.enumerate():
            if thread.name == "nvml":
                thread.join(LIMIT_SECONDS)


async def test_a_mistake_of_ours_reaches_whoever_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(_: Reader) -> GpusReport:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(Reader, "read", mistaken)
    async with sampling() as until:
        with pytest.raises(ZeroDivisionError, match="a mistake"):
            await until(lambda _: True)


@pytest.mark.usefixtures("nvml")
async def test_closing_ends_the_thread_and_the_reports() -> None:
    before = threading.active_count()
    sampler = Sampler(seconds=60)
    reports = sampler.reports()
    await anext(reports)
    assert threading.active_count() == before + 1
    sampler.close()
    assert threading.active_count() == before
    assert [report async for report in reports] == []


@pytest.mark.usefixtures("nvml")
def test_a_loop_that_has_ended_ends_its_thread() -> None:
    async def forget() -> threading.Thread:
        return Sampler(SECONDS)._thread

    thread = asyncio.run(forget())
    thread.join(LIMIT_SECONDS)
    assert not thread.is_alive()


def test_pynvml_is_not_loaded_before_there_is_a_question() -> None:
    script = "import sys, vramtop.tui.gpus.sampler; sys.exit('pynvml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
