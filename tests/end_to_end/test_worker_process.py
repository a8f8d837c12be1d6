"""The real worker process, through the monitor's own link to it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
from driver import driving, training
from vramtop.protocol.lesson.commands import Start
from vramtop.protocol.lesson.messages import LessonEnded, LessonMeasured, LessonSample
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import VERSION, Device, Failed, Hello
from vramtop.protocol.wire.envelope import Sender, Stamp
from vramtop.protocol.wire.framing import encode, from_worker
from vramtop.tui.worker.launch import command
from vramtop.tui.worker.link import WorkerGone, WorkerLine
from vramtop.tui.worker.process import start_worker

TIMEOUT_SECONDS = 60


async def test_a_worker_says_hello_trains_leaves_a_core_to_the_monitor_and_ends_when_closed(
    tmp_path, monkeypatch
):
    # Asked of the thread that trains, since each has a number of threads of its own.
    (tmp_path / "sitecustomize.py").write_text(
        "import signal, sys\n"
        "def tell(*_):\n"
        "    print('threads:', sys.modules['torch'].get_num_threads(), flush=True)\n"
        "signal.signal(signal.SIGUSR1, tell)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    async with training("cpu") as driver:
        hello = await driver.until(object)
        assert isinstance(hello, Hello)
        assert hello.pid == driver.link.pid
        assert hello.device.name == "cpu"
        driver.change(batch_size=128)
        await driver.until(LessonMeasured, lambda measured: measured.batch_size == 128)
        os.kill(driver.link.pid, signal.SIGUSR1)
        line = await driver.until(WorkerLine)
    assert line.text == "threads: 1"
    assert not psutil.pid_exists(driver.link.pid)


async def test_no_step_is_lost_and_every_message_has_its_process_device_and_time():
    began = time.monotonic() - 1000
    worker = await start_worker(Settings(device="cpu"), steps=1_200, every_step=True, began=began)
    envelopes = []

    async def listen():
        async for envelope in worker.messages():
            envelopes.append(envelope)
            if isinstance(envelope.message, LessonEnded):
                worker.stop()

    try:
        await asyncio.wait_for(listen(), TIMEOUT_SECONDS)
    finally:
        await worker.close()
    assert {envelope.sender for envelope in envelopes} == {
        Sender(socket.gethostname(), worker.pid, None, "cpu")
    }
    assert isinstance(envelopes[-1].message, WorkerGone)
    times = [envelope.seconds for envelope in envelopes]
    assert times == sorted(times)
    steps = {e.message.step: e.seconds for e in envelopes if isinstance(e.message, LessonSample)}
    assert list(steps) == list(range(1, 1_201))
    assert len(set(steps.values())) == 1_200  # as they were made, not as they were written
    assert 1000 < times[0] < times[-1] < time.monotonic() - began


async def test_a_failure_before_there_is_a_device_names_none():
    async with training("cuda:77") as driver:
        failed = await driver.until(Failed)
    assert [said.message for said in driver.heard] == [failed]
    assert driver.heard[0].sender == Sender(socket.gethostname(), driver.link.pid)


async def test_what_a_dying_worker_printed_last_is_kept(tmp_path, monkeypatch):
    # A torch that cannot be imported is a crash as real as any, with lines on stderr.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['torch'] = None\nprint('before the fall', flush=True)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with training("cpu") as driver:
        line = await driver.until(WorkerLine)
        gone = await driver.until(WorkerGone)
    assert line.text == "before the fall"
    assert gone.exit_code == 1
    assert "ModuleNotFoundError" in gone.lines[-1]


async def test_a_last_line_without_an_end_is_kept_too(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nos.write(2, b'first\\nno room for')\nos._exit(3)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with training("cpu") as driver:
        gone = await driver.until(WorkerGone)
    assert gone == WorkerGone(3, ("first", "no room for"))


PARENT = """
import asyncio
from vramtop.tui.worker.process import start_worker
from vramtop.protocol.lesson.settings import Settings
async def main():
    worker = await start_worker(Settings(device='cpu'))
    async for _ in worker.messages():
        print(worker.pid, flush=True)
asyncio.run(main())
"""


def test_a_worker_dies_with_a_parent_that_is_killed_whatever_it_is_doing():
    """One that is stopped runs no line of ours: only the kernel can end it."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        try:
            worker.suspend()
            parent.kill()
            assert worker.wait(TIMEOUT_SECONDS) is None  # not our child: gone, its code unknown
        finally:
            if worker.is_running():
                worker.kill()


def test_a_worker_whose_parent_died_before_it_began_ends_by_itself():
    """No signal comes for a parent that is gone already."""
    ours, theirs = socket.socketpair()
    started = command("vramtop.trainer", "--socket", str(theirs.fileno()), "--parent", "1")
    with ours, theirs, subprocess.Popen(started, pass_fds=(theirs.fileno(),)) as worker:
        try:
            assert worker.wait(TIMEOUT_SECONDS) == 1
        finally:
            worker.kill()


# ---- its protocol ---------------------------------------------------------------------------


def test_a_worker_refuses_a_monitor_that_speaks_another_protocol():
    ours, theirs = socket.socketpair()
    ours.settimeout(TIMEOUT_SECONDS)
    arguments = ("--socket", str(theirs.fileno()), "--parent", str(os.getpid()))
    started = command("vramtop.trainer", *arguments)
    with ours, subprocess.Popen(started, pass_fds=(theirs.fileno(),)) as worker:
        theirs.close()
        ours.sendall(encode(Start(VERSION - 1, Settings())))
        decoder, said = from_worker(), []
        try:
            while not said and (data := ours.recv(65_536)):
                said += [envelope.message for envelope in decoder.feed(data)]
            code = worker.wait(TIMEOUT_SECONDS) if isinstance(said[0], Failed) else None
        finally:
            worker.kill()
    assert code == 1
    text = f"the worker speaks protocol {VERSION}, not {VERSION - 1}"
    assert said == [Failed(text, usage=False)]


def stand_in(monkeypatch, script):
    """Let this script be the worker; its second argument is the number of its socket."""
    monkeypatch.setattr(
        "vramtop.tui.worker.process.command",
        lambda _, *given: [sys.executable, "-c", script, *given],
    )


async def test_a_worker_that_no_longer_listens_is_closed_without_a_complaint(monkeypatch):
    script = (
        "import socket, sys, time\n"
        "socket.socket(fileno=int(sys.argv[2])).close()\n"
        "print('closed', flush=True)\n"
        "time.sleep(3600)\n"
    )
    stand_in(monkeypatch, script)
    async with training("cpu") as driver:
        closed = driver.link._writer.transport.get_protocol()._closed
        await driver.until(WorkerLine)
    # Where this is set, asyncio prints the exception in the end.
    assert not closed._log_traceback
    assert isinstance(closed.exception(), ConnectionError)


async def test_a_monitor_refuses_a_worker_that_speaks_another_protocol(monkeypatch):
    hello = Hello(VERSION + 1, 7, "2.9.0", Device("cpu", "a processor", None))
    frame = encode(Stamp().envelope(hello))
    script = (
        "import socket, sys, time\n"
        f"socket.socket(fileno=int(sys.argv[2])).sendall({frame!r})\n"
        "time.sleep(3600)\n"
    )
    stand_in(monkeypatch, script)
    async with training("cpu") as driver:
        line = await driver.until(object)
        gone = await driver.until(object)
    text = f"worker: it speaks protocol {VERSION + 1}, the monitor {VERSION}"
    assert line == WorkerLine(text)
    assert gone == WorkerGone(-signal.SIGKILL, (text,))


async def test_neither_modules_where_the_user_stands_nor_timeouts_reach_a_worker_until_it_crashes(
    tmp_path, monkeypatch
):
    for module in ("torch", "queue"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    socket.setdefaulttimeout(TIMEOUT_SECONDS)  # which would end its wait for commands
    try:
        worker = await start_worker(Settings(device="cpu"))
    finally:
        socket.setdefaulttimeout(None)
    async with driving(worker) as driver:
        assert isinstance(await driver.until(object), Hello)
        await driver.until(LessonSample)
        os.kill(worker.pid, signal.SIGSEGV)
        gone = await driver.until(WorkerGone)
    assert gone.exit_code == -signal.SIGSEGV
