"""Which GPU a training takes and leaves alone, and how it moves and comes back."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pynvml
import pytest
from driver import Driver, driving
from vramtop.protocol.commands import GiveBack, Pause
from vramtop.protocol.lesson.commands import Change, FindLargest
from vramtop.protocol.lesson.messages import (
    Configured,
    Evaluated,
    LessonMeasured,
    LessonSample,
    Noise,
    Predicted,
    SearchEnded,
)
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Answer, Flow, Hello, Note
from vramtop.tui.headless.estimate import estimate
from vramtop.tui.worker import succession
from vramtop.tui.worker.link import WorkerGone
from vramtop.tui.worker.process import Worker, start_worker
from vramtop.tui.worker.succession import begin

if TYPE_CHECKING:
    from simulation import Environment, SimulatedGpu

GIB = 2**30
ROOM = 4 * GIB
FULL = ROOM - 900 * 2**20  # of others: beside the driver's part, no room for a context


@pytest.fixture
def machine(run_on: Callable[..., Environment]) -> Callable[..., Environment]:
    """Makes a machine of two GPUs of 4 GiB, on which every worker runs and NVML is asked."""
    return partial(run_on, total=ROOM)


@asynccontextmanager
async def training(device: str, **settings: int) -> AsyncIterator[Driver]:
    """A training that can move to another process."""
    async with driving(await begin(Settings(device=device, **settings))) as driver:
        yield driver


def holders(simgpu: SimulatedGpu, machine: Environment) -> list[list[int]]:
    """The processes that hold memory on each GPU, by NVML."""
    with simgpu.nvml(machine):
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(2)]
        lists = [pynvml.nvmlDeviceGetComputeRunningProcesses(handle) for handle in handles]
    return [[process.pid for process in processes] for processes in lists]


async def test_the_gpu_with_the_most_free_memory_is_taken_and_named_and_no_other_is_touched(
    machine: Callable[..., Environment], simgpu: SimulatedGpu
) -> None:
    """GPU 0 is full: not even a context fits there."""
    here = machine(others=f"77:0:{FULL}")
    async with training("auto", batch_size=600) as driver:
        hello = await driver.until(Hello)
        configured = await driver.until(Configured)
        await driver.until(Predicted)
        await driver.until(Noise)
        await driver.until(Evaluated)
        driver.link.send(GiveBack(1))
        await driver.until(Note)
        driver.link.send(FindLargest(2))
        found = (await driver.until(SearchEnded)).found
        driver.link.send(Change(3, optimizer="sgd", hidden=32))
        await driver.until(LessonMeasured, lambda measured: measured.settled)
    assert found is not None
    assert hello.device.name == configured.settings.device == "cuda:1"
    assert set(simgpu.contexts(here)) == {(hello.pid, 1)}


async def test_an_estimate_makes_no_context_anywhere(
    machine: Callable[..., Environment],
    simgpu: SimulatedGpu,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from vramtop.trainer.data import sources

    here = machine(others=f"77:0:{FULL}")
    source = sources.find("mnist", None, download=False)
    assert await estimate([Settings()], source, "json") == 0
    assert '"cuda:1"' in capsys.readouterr().out
    assert simgpu.contexts(here) == []


async def test_a_training_moves_into_a_process_that_holds_nothing_elsewhere_and_back_at_rest(
    machine: Callable[..., Environment], simgpu: SimulatedGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins: list[float] = []

    async def start(*given: Any, began: float, **others: Any) -> Worker:
        begins.append(began)
        return await start_worker(*given, began=began, **others)

    monkeypatch.setattr(succession, "start_worker", start)
    here = machine(fastest=1)  # which CUDA would number first, but for the order of the bus
    async with training("cuda:0") as driver:
        before = await driver.until(Hello)
        await driver.until(LessonMeasured, lambda measured: measured.settled)
        sample = await driver.until(LessonSample)
        driver.link.move("cuda:1")
        driver.link.send(Change(1, batch_size=128))  # for whoever goes on
        after = await driver.until(Hello)
        configured = await driver.until(Configured)
        later = await driver.until(LessonSample)
        # The optimizer's state came along: the first step on 128 is settled with the second.
        await driver.until(Configured, lambda new: new.settings.batch_size == 128)
        assert holders(simgpu, here) == [[], [after.pid]]
        await driver.until(LessonSample)
        driver.link.send(Pause(2, paused=True))
        await driver.until(Flow, lambda flow: flow.paused)
        driver.link.send(GiveBack(3))  # answered at rest, after all samples
        driver.link.move("cuda:0")
        back = await driver.until(Configured, lambda new: new.device.name == "cuda:0")
        await driver.until(Flow, lambda flow: flow.paused)  # without a step in between
        kept, there = driver.link.kept, driver.heard[-1].sender
        assert kept is not None
        stepped = [said for said in driver.heard if isinstance(said.message, LessonSample)]
        assert there not in {said.sender for said in stepped}
        driver.link.send(Pause(4, paused=False))
        last = await driver.until(LessonSample)
    assert before.device.uuid == back.device.uuid == first_uuid(simgpu, here)
    assert before.pid != after.pid
    assert configured.settings.device == configured.device.name == "cuda:1"
    assert later.step > sample.step
    assert last.step == kept.steps + 1
    senders = dict.fromkeys((said.sender.pid, said.sender.device) for said in driver.heard)
    pids = [pid for pid, _ in senders]
    assert pids[:2] == [before.pid, after.pid]
    assert [device for _, device in senders] == ["cuda:0", "cuda:1", "cuda:0"]
    times = [said.seconds for said in driver.heard]
    assert times == sorted(times)
    # The times count from the session's begin, not from a worker's.
    assert begins == [begins[0]] * 3
    assert set(simgpu.contexts(here)) == set(zip(pids, (0, 1, 0), strict=True))


def first_uuid(simgpu: SimulatedGpu, machine: Environment) -> str:
    """That of GPU 0, by NVML."""
    with simgpu.nvml(machine):
        pynvml.nvmlInit()
        return str(pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByIndex(0)))


async def test_where_there_is_no_room_the_training_stays_where_it_is(
    machine: Callable[..., Environment], simgpu: SimulatedGpu
) -> None:
    here = machine(others=f"77:1:{FULL}")
    async with training("cuda") as driver:  # which means the roomier one
        hello = await driver.until(Hello)
        assert hello.device.name == "cuda:0"
        await driver.until(LessonSample)
        driver.link.move("cuda:1")
        answer = await driver.until(Answer)
        sample = await driver.until(LessonSample)
        later = await driver.until(LessonSample)
        assert holders(simgpu, here) == [[hello.pid], [77]]
    assert answer.error is not None
    assert answer.error.startswith("cuda:1 has no room for the model: CUDA error: out of memory")
    assert answer.error.endswith("; the training stays on cuda:0")
    assert later.step > sample.step


async def test_a_worker_that_dies_before_its_first_step_is_followed_by_one_from_the_start() -> None:
    async with training("cpu") as driver:
        hello = await driver.until(Hello)
        os.kill(hello.pid, signal.SIGKILL)
        assert (await driver.until(WorkerGone)).exit_code == -signal.SIGKILL
        kept = driver.link.kept
        driver.link.restart()
        assert (await driver.until(Configured)).settings.batch_size == 64
        sample = await driver.until(LessonSample)
    # On a busy machine it may have taken a step and left a snapshot before the signal came.
    assert sample.step > (kept.steps if kept else 0)
