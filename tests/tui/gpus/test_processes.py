"""What the operating system says of processes on simulated GPUs."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil
import pytest
from gpus_read import GIB, ONE, idle, only_gpu
from vramtop.protocol.gpus import GpuProcess, Inside
from vramtop.tui.gpus.readings import Reader

if TYPE_CHECKING:
    from conftest import Machine

WAIT = "print(flush=True); input()"
# A process that starts another one, as torchrun does, says its pid and waits for it.
LAUNCH = (
    "import subprocess, sys\n"
    f"child = subprocess.Popen([sys.executable, '-c', {WAIT!r}], stdout=subprocess.PIPE)\n"
    "child.stdout.readline()\n"
    "print(child.pid, flush=True)\n"
    "child.wait()\n"
)


@contextmanager
def running(script: str) -> Iterator[tuple[psutil.Popen, str]]:
    """A Python process, and the first line that it has printed; all of it ends with the block."""
    command = [sys.executable, "-c", script]
    with psutil.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        line = process.stdout.readline().decode().strip()
        try:
            yield process, line
        finally:
            for each in [*process.children(recursive=True), process]:
                with suppress(psutil.NoSuchProcess):
                    each.kill()


def worked(process: psutil.Process) -> float:
    """The seconds of a core that it has had."""
    times = process.cpu_times()
    return float(times.user + times.system)


def only_process(reader: Reader) -> GpuProcess:
    (process,) = only_gpu(reader).processes or ()
    return process


def test_a_process_has_what_the_system_says_of_it(nvml: Machine) -> None:
    with running(WAIT) as (process, _):
        nvml.has(devices=1, processes=f"{process.pid}:0:{GIB}", SHARES=f"{process.pid}:0:62:30")
        found = only_process(Reader())
        assert (found.pid, found.used, found.type) == (process.pid, GIB, "C")
        assert (found.sm, found.bandwidth) == (62, 30)
        assert found.user == getpass.getuser()
        assert found.command == f"{sys.executable} -c {WAIT}"
        assert found.parent == os.getpid()
        assert found.started == process.create_time()
        assert found.seconds is not None
        assert 0 <= found.seconds <= time.time() - process.create_time()
        assert found.resident is not None
        assert abs(found.resident - process.memory_info().rss) < 2**20


def test_a_process_of_another_namespace_has_nothing_of_the_system(nvml: Machine) -> None:
    nvml.has(devices=1, processes=f"{ONE}:0:{GIB}")
    report = Reader().read()
    assert report.gpus[0].processes == (idle(ONE, GIB),)
    assert report.ancestors == ()


def test_a_command_line_is_asked_for_until_it_is_known(
    nvml: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml.has(devices=1, processes=f"{os.getpid()}:0:1")
    reader = Reader()
    with monkeypatch.context() as loading:
        loading.setattr(psutil.Process, "cmdline", lambda _: [])
        assert only_process(reader).command is None
    command = only_process(reader).command
    assert command is not None
    monkeypatch.setattr(psutil.Process, "cmdline", lambda _: ["another", "command"])
    assert only_process(reader).command == command


def test_a_process_that_ends_while_it_is_looked_up_has_what_was_known(
    nvml: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(process: psutil.Process) -> None:
        raise psutil.NoSuchProcess(process.pid)

    nvml.has(devices=1, processes=f"{os.getpid()}:0:1")
    monkeypatch.setattr(psutil.Process, "oneshot", ended)
    found = only_process(Reader())
    assert (found.pid, found.used, found.cpu, found.resident) == (os.getpid(), 1, None, None)
    assert (found.user, found.command) == (None, None)


def test_processor_time_counts_from_one_report_to_the_next(nvml: Machine) -> None:
    with (
        running(WAIT) as (waiting, _),
        running("print(flush=True)\nwhile True: pass") as (busy, _),
    ):
        nvml.has(devices=1, processes=f"{waiting.pid}:0:1,{busy.pid}:0:1")
        reader = Reader()
        only_gpu(reader)
        at, before = time.monotonic(), worked(busy)
        while worked(busy) < before + 0.2:
            time.sleep(0.01)  # it works meanwhile
        idle_share, busy_share = (each.cpu for each in only_gpu(reader).processes or ())
        assert idle_share == 0
        seconds = time.monotonic() - at
        assert busy_share == pytest.approx(100 * (worked(busy) - before) / seconds, rel=0.3)


def test_processor_time_counts_at_first_from_the_start_of_a_process(nvml: Machine) -> None:
    with running("print(flush=True)\nwhile True: pass") as (busy, _):
        nvml.has(devices=1, processes=f"{busy.pid}:0:1")
        while worked(busy) < 0.3:
            time.sleep(0.01)  # it works meanwhile
        share = only_process(Reader()).cpu
        lived = time.time() - busy.create_time()
        assert share == pytest.approx(100 * worked(busy) / lived, rel=0.3)


def test_another_process_of_the_same_pid_has_no_earlier_time(
    nvml: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml.has(devices=1, processes=f"{os.getpid()}:0:1")
    reader = Reader()
    only_process(reader)
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: 1.0)
    share = only_process(reader).cpu
    assert share is not None
    assert 0 < share < 1e-3  # in all its life, from 1970 on


def test_processes_above_those_on_the_gpus_are_told_each_after_its_parent(nvml: Machine) -> None:
    with running(LAUNCH) as (launcher, child):
        nvml.has(devices=2, processes=f"{child}:0:1,{child}:1:1")
        report = Reader().read()
        pids = [process.pid for process in report.ancestors]
        assert pids[-2:] == [os.getpid(), launcher.pid]
        assert [each.parent for each in report.ancestors[1:]] == pids[:-1]
        assert report.ancestors[0].parent is None
        above = report.ancestors[-1]
        assert (above.used, above.sm, above.type, above.inside) == (None, None, None, None)
        assert LAUNCH.splitlines()[0] in (above.command or "")
        processes = [process for gpu in report.gpus for process in gpu.processes or ()]
        assert [process.parent for process in processes] == [launcher.pid, launcher.pid]


def test_a_parent_that_is_on_a_gpu_itself_is_no_ancestor(nvml: Machine) -> None:
    with running(LAUNCH) as (launcher, child):
        nvml.has(devices=2, processes=f"{child}:0:1,{launcher.pid}:1:1")
        report = Reader().read()
        assert launcher.pid not in [process.pid for process in report.ancestors]
        assert os.getpid() in [process.pid for process in report.ancestors]


def test_an_instances_processes_are_described_too(nvml: Machine) -> None:
    nvml.has(devices=1, MIG="0:2", processes=f"{os.getpid()}:0.1:{GIB}")
    gpu = only_gpu(Reader())
    for holding in (gpu, gpu.instances[1]):
        (process,) = holding.processes or ()
        assert (process.user, process.used, process.sm) == (getpass.getuser(), GIB, None)


def test_only_processes_on_a_gpu_are_looked_at(nvml: Machine) -> None:
    asked = []

    def look(pid: int, born: float) -> tuple[Inside, str | None]:
        asked.append((pid, born))
        return "impossible", "another user's"

    own = psutil.Process()
    nvml.has(devices=2, processes=f"{own.pid}:0:1,{own.pid}:1:1,{ONE}:0:1")
    report = Reader(look).read()
    assert asked == [(own.pid, own.create_time())]
    for gpu in report.gpus:
        first = (gpu.processes or ())[0]
        assert (first.inside, first.obstacle) == ("impossible", "another user's")
    assert (report.gpus[0].processes or ())[1].inside is None
