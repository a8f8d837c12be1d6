"""The real worker process, through the monitor's own link to it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest
from vramtop.trainer.protocol import Change, Ended, Hello, Measured, Sample
from vramtop.trainer.settings import Settings
from vramtop.tui.link import WorkerGone, WorkerLine
from vramtop.tui.worker import start_worker

TIMEOUT_SECONDS = 60


async def until(messages, kind, condition=lambda _: True):
    async def first():
        async for message in messages:
            if isinstance(message, kind) and condition(message):
                return message
        raise AssertionError(f"no {kind.__name__}")

    return await asyncio.wait_for(first(), TIMEOUT_SECONDS)


async def test_a_worker_says_hello_first_trains_and_ends_when_closed():
    worker = await start_worker(Settings(device="cpu"))
    messages = worker.messages()
    try:
        hello = await until(messages, object)
        assert isinstance(hello, Hello)
        assert hello.pid == worker.pid
        assert hello.device.name == "cpu"
        worker.send(Change(1, batch_size=128))
        await until(messages, Measured, lambda measured: measured.batch_size == 128)
    finally:
        await worker.close()
    assert not psutil.pid_exists(worker.pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_killed_worker_is_told_of_with_its_signal(number):
    worker = await start_worker(Settings(device="cpu"))
    messages = worker.messages()
    try:
        await until(messages, Sample)
        os.kill(worker.pid, number)
        gone = await until(messages, WorkerGone)
        assert gone.exit_code == -number
    finally:
        await worker.close()


async def test_what_a_dying_worker_printed_last_is_kept(tmp_path):
    # A torch that cannot be imported is a crash as real as any, with lines on stderr.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['torch'] = None\nprint('before the fall', flush=True)\n"
    )
    os.environ["PYTHONPATH"] = str(tmp_path)
    try:
        worker = await start_worker(Settings())
    finally:
        del os.environ["PYTHONPATH"]
    messages = worker.messages()
    try:
        line = await until(messages, WorkerLine)
        gone = await until(messages, WorkerGone)
    finally:
        await worker.close()
    assert line.text == "before the fall"
    assert gone.exit_code == 1
    assert "ModuleNotFoundError" in gone.lines[-1]


async def test_a_slow_reader_loses_no_step_of_a_headless_run():
    worker = await start_worker(Settings(device="cpu"), steps=1_200, every_step=True)
    steps = []
    try:
        async for message in worker.messages():
            if isinstance(message, Sample):
                steps.append(message.step)
            if isinstance(message, Ended):
                break
    finally:
        await worker.close()
    assert steps == list(range(1, 1_201))


def test_a_worker_dies_with_a_parent_that_is_killed():
    script = (
        "import asyncio\n"
        "from vramtop.tui.worker import start_worker\n"
        "from vramtop.trainer.settings import Settings\n"
        "async def main():\n"
        "    worker = await start_worker(Settings(device='cpu'))\n"
        "    async for message in worker.messages():\n"
        "        print(worker.pid, flush=True)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        assert worker.wait(TIMEOUT_SECONDS) is None  # not our child: gone, its code unknown
    assert not worker.is_running()


@pytest.mark.parametrize("module", ["torch", "queue"])
async def test_a_module_where_the_user_stands_is_not_imported(module, tmp_path, monkeypatch):
    (tmp_path / f"{module}.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    worker = await start_worker(Settings(device="cpu"))
    try:
        assert isinstance(await until(worker.messages(), object), Hello)
    finally:
        await worker.close()


async def test_a_worker_waits_for_commands_whatever_its_parents_sockets_do():
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        worker = await start_worker(Settings(device="cpu"))
    finally:
        socket.setdefaulttimeout(None)
    try:
        assert isinstance(await until(worker.messages(), object), Hello)
    finally:
        await worker.close()
