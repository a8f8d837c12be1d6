"""ctrl-C at any moment: quiet, soon, exit code 130, and what was measured is printed."""

import contextlib
import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time

import psutil
import pytest
from command import VRAMTOP
from recorded_monitor import PROGRAM
from terminal import Terminal
from vramtop.tui.worker.process import STOP_SECONDS

TIMEOUT_SECONDS = 60
JSON_LINES = ("--headless", "--format", "jsonl", "--device", "cpu")


@contextlib.contextmanager
def running(*arguments, program=(VRAMTOP,), **options):
    """The command with its streams in pipes, killed at the latest when the test is over."""
    with subprocess.Popen(
        [*program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(process, kind):
    """Read lines of JSON up to the first message of this kind."""
    for line in process.stdout:
        if json.loads(line)["type"] == kind:
            return
    raise AssertionError(f"no {kind}; {process.stderr.read()}")


def ends_quietly(process, *, within=TIMEOUT_SECONDS):
    """The rest of its output, once it has ended as an interrupted command should."""
    begun = time.monotonic()
    rest, complaint = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, complaint) == (130, "")
    assert time.monotonic() - begun < within
    return rest


def shadowed(module, code, folder):
    """An environment in which this code stands in for a module."""
    (folder / f"{module}.py").write_text(code)
    return os.environ | {"PYTHONPATH": str(folder)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_among_the_first_imports_is_quiet(number, tmp_path):
    environment = shadowed("msgspec", "print(flush=True)\nimport time\ntime.sleep(60)", tmp_path)
    with running(*JSON_LINES, env=environment) as process:
        assert process.stdout.readline() == "\n"
        process.send_signal(number)
        ends_quietly(process, within=STOP_SECONDS)


def test_a_worker_that_is_still_importing_is_not_waited_for(tmp_path):
    code = "print('importing', flush=True)\nimport time\ntime.sleep(60)"
    with running(*JSON_LINES, env=shadowed("torch", code, tmp_path)) as process:
        assert process.stderr.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        assert ends_quietly(process, within=STOP_SECONDS) == ""


def test_a_download_ends_with_the_command(tmp_path):
    code = "print('importing', flush=True)\nimport time\ntime.sleep(60)"
    environment = shadowed("torchvision", code, tmp_path) | {"XDG_CACHE_HOME": str(tmp_path)}
    with running(*JSON_LINES, "--download", env=environment) as process:
        assert process.stdout.readline() == "importing\n"
        (download,) = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGINT)
        assert ends_quietly(process, within=STOP_SECONDS) == ""
    assert psutil.wait_procs([download], TIMEOUT_SECONDS)[1] == []


def test_under_nohup_the_terminal_may_go_and_ctrl_c_still_ends_the_training_once():
    deaf = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
    with running(*JSON_LINES, **deaf) as process:
        until(process, "sample")
        process.send_signal(signal.SIGHUP)
        for _ in range(100):  # more than what may have been on its way
            until(process, "sample")
        process.send_signal(signal.SIGINT)
        until(process, "ended")
        process.send_signal(signal.SIGINT)  # changes nothing any more
        assert ends_quietly(process) == ""


def test_a_worker_that_hangs_is_killed_after_a_while():
    with running(*JSON_LINES, program=PROGRAM) as process:
        until(process, "sample")
        (worker,) = psutil.Process(process.pid).children()
        worker.suspend()
        process.send_signal(signal.SIGTERM)
        ends_quietly(process, within=2 * STOP_SECONDS)
        assert not worker.is_running()


def test_a_second_signal_kills_a_worker_that_hangs_and_the_rows_so_far_are_printed():
    arguments = ("--batch-size", "64,32,16", "--steps", "1000", "--device", "cpu")
    terminal = Terminal(80, 24, "sweep", *arguments)
    terminal.wait_for("1/3")
    worker = terminal.worker()
    worker.suspend()
    begun = time.monotonic()
    terminal.child.sendintr()
    terminal.child.kill(signal.SIGTERM)  # two of the same kind may count as one
    assert terminal.ended() == 130
    assert time.monotonic() - begun < STOP_SECONDS
    assert re.search("batch 64(.|\n)*2\\.51 MiB", terminal.text())
    assert b"Traceback" not in terminal.raw
    assert not worker.is_running()


def test_a_reader_that_reads_no_more_does_not_hold_the_end_up():
    with running(*JSON_LINES, program=PROGRAM) as process:
        until(process, "sample")
        filled = -1
        while filled != (filled := _waiting(process.stdout)) or not filled:
            select.select([], [], [], 0.2)  # full is when it no longer grows
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_SECONDS) == 130
        assert process.stderr.read() == ""


def _waiting(pipe):
    """How many bytes wait in a pipe to be read."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]
