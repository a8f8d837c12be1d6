"""The question before a process gets a signal, and its answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
from gpu_table import make_gpu, report
from process_list import process
from scripted import begin, painted, seen
from vramtop.protocol.gpus import GpusReport
from vramtop.tui.app.gpu_app import GpuApp
from vramtop.tui.screens.ending import EndProcess

WAITING = "import time; print('ready', flush=True); time.sleep(600)"


@pytest.fixture
def alone() -> GpuApp:
    return GpuApp()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    """A process of our own that waits."""
    started = subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    with started:
        yield started
        started.kill()


def holding(child: subprocess.Popen[str], **values: object) -> GpusReport:
    """A GPU on which this process holds memory."""
    born = psutil.Process(child.pid).create_time()
    values = {"command": "python train.py --lr 1", "user": "ana", "started": born, **values}
    return report(make_gpu(0, process(child.pid, 3, **values)))


@pytest.mark.parametrize("size", [(60, 7), (60, 10), (80, 12), (80, 24), (120, 40)])
@pytest.mark.parametrize(
    ("key", "number"), [("i", signal.SIGINT), ("t", signal.SIGTERM), ("k", signal.SIGKILL)]
)
async def test_the_question_names_the_process_and_a_key_answers_it(
    alone: GpuApp,
    child: subprocess.Popen[str],
    key: str,
    number: signal.Signals,
    size: tuple[int, int],
) -> None:
    async with alone.run_test(size=size, notifications=True) as pilot:
        await begin(pilot, holding(child))
        await pilot.press("tab", "K")
        await pilot.pause()
        assert isinstance(alone.screen, EndProcess)
        for text in (f"End process {child.pid} of ana?", "python train.py --lr 1", "esc leaves"):
            assert text in seen(alone)
        for text in ("i  INT", "t  TERM", "k  KILL"):
            assert text in seen(alone)
        assert child.poll() is None
        await pilot.press(key, key)
        await pilot.pause()
        assert not isinstance(alone.screen, EndProcess)
        assert f"{number.name[3:]} was sent to process {child.pid}" in seen(alone)
    assert child.wait(60) == -number


@pytest.mark.parametrize("key", ["escape", "enter", "x", "q"])
async def test_no_other_key_ends_a_process(
    alone: GpuApp, child: subprocess.Popen[str], key: str
) -> None:
    async with alone.run_test(size=(80, 24)) as pilot:
        await begin(pilot, holding(child))
        await pilot.press("tab", "K", key, "escape")
        await pilot.pause()
        assert alone.is_running
        assert not isinstance(alone.screen, EndProcess)
    assert child.poll() is None


async def test_from_the_list_of_gpus_no_process_ends(
    alone: GpuApp, child: subprocess.Popen[str]
) -> None:
    async with alone.run_test(size=(80, 24), notifications=True) as pilot:
        await begin(pilot, holding(child))
        await pilot.press("K")
        await pilot.pause()
        assert not isinstance(alone.screen, EndProcess)
        assert "tab goes to the processes" in seen(alone)
        await pilot.press("k")
    assert child.poll() is None


async def test_the_question_is_about_the_one_it_names_whatever_the_list_does(
    alone: GpuApp, child: subprocess.Popen[str]
) -> None:
    async with alone.run_test(size=(80, 24), notifications=True) as pilot:
        await begin(pilot, holding(child))
        await pilot.press("tab", "K")
        await painted(pilot, report(make_gpu(0, process(os.getpid(), 9))))
        await pilot.press("t")
        await pilot.pause()
        assert f"TERM was sent to process {child.pid}" in seen(alone)
    assert child.wait(60) == -signal.SIGTERM


async def test_a_process_that_took_over_the_number_is_not_even_asked_about(
    alone: GpuApp, child: subprocess.Popen[str]
) -> None:
    async with alone.run_test(size=(80, 24), notifications=True) as pilot:
        await begin(pilot, holding(child, started=1.0))
        await pilot.press("tab", "K")
        await pilot.pause()
        assert not isinstance(alone.screen, EndProcess)
        assert "another one has its number now" in seen(alone)
    assert child.poll() is None


async def test_one_that_ends_while_the_question_stands_is_told(
    alone: GpuApp, child: subprocess.Popen[str]
) -> None:
    async with alone.run_test(size=(80, 24), notifications=True) as pilot:
        await begin(pilot, holding(child))
        await pilot.press("tab", "K")
        child.kill()
        child.wait()
        await pilot.press("t")
        await pilot.pause()
        assert f"process {child.pid} has ended" in seen(alone)
