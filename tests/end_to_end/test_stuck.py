"""A stuck app ends when asked to and restores the terminal, wherever it is stuck."""

import signal
import sys
import termios
import time
from pathlib import Path

import psutil
import pytest
from terminal import Terminal, close, recorded, running_still

# The key for the next theme makes the app stuck: in its event loop, in a handler that waits, in the
# main thread.
STUCK = {
    "loop": "def stuck(self):\n    begun()\n    while True: pass",
    "handler": "async def stuck(self):\n    begun()\n    await asyncio.Event().wait()",
    "thread": "def stuck(self):\n    begun()\n    threading.Event().wait()",
}
PROGRAM = """
import asyncio, sys, threading
sys.path.append({folder!r})
import recorded_monitor
from vramtop.tui.cli import main as cli
from vramtop.tui.app import state_app
from pathlib import Path
begun = Path({mark!r}).touch
{stuck}
state_app.StateApp.action_theme = stuck
recorded_monitor.repeat()
sys.exit(cli.main({arguments}))
"""


def terminal_of(stuck, mark, *arguments, deaf_to=()):
    """A monitor on a recorded worker that the key for the next theme makes stuck.

    `mark` is a file made right before.
    """
    program = PROGRAM.format(
        folder=str(Path(__file__).parent),
        mark=str(mark),
        stuck=STUCK[stuck],
        arguments=list(arguments),
    )
    return Terminal(80, 24, "-c", program, program=sys.executable, deaf_to=deaf_to)


def wait_for(mark):
    """Wait until the file is there; fails where it does not come."""
    end = time.monotonic() + 20
    while not mark.exists():
        assert time.monotonic() < end, f"{mark.name}: the app is not stuck"
        time.sleep(0.01)


def is_restored(terminal):
    """Whether the terminal is as a shell expects it: no raw mode, and all switched off again."""
    for on, off in ((b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h")):
        assert terminal.raw.rindex(off) > terminal.raw.rindex(on)
    for mouse in (b"1000", b"1003", b"1006"):
        assert terminal.raw.rindex(b"\x1b[?%sl" % mouse) > terminal.raw.rindex(b"\x1b[?%sh" % mouse)
    return True


def has_ended(process):
    """Whether it has; without a parent to reap it, it may stay a zombie."""
    _, alive = psutil.wait_procs([process], 5)
    return not alive or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("stuck", STUCK)
def test_ctrl_c_and_signals_end_a_stuck_app_within_three_seconds(stuck, tmp_path):
    ways = {
        "ctrl-C": lambda terminal: terminal.child.send("\x03"),
        "SIGINT": lambda terminal: terminal.child.kill(signal.SIGINT),
        "SIGTERM": lambda terminal: terminal.child.kill(signal.SIGTERM),
        "SIGHUP": lambda terminal: terminal.child.kill(signal.SIGHUP),
    }
    terminals = {way: terminal_of(stuck, tmp_path / way, "gpus") for way in ways}
    for terminal in terminals.values():
        terminal.wait_for("quit")
        terminal.child.send("T")
    for way in ways:
        wait_for(tmp_path / way)
    asked = time.monotonic()
    for way, terminal in terminals.items():
        ways[way](terminal)
    for way, terminal in terminals.items():
        terminal.read_to_end()
        assert time.monotonic() - asked < 3, way
        assert is_restored(terminal)
        assert termios.tcgetattr(terminal.child.child_fd)[3] & termios.ICANON
        terminal.child.close()
        assert terminal.child.exitstatus == 130, way


def test_no_worker_outlives_a_stuck_app(tmp_path):
    terminal = terminal_of("loop", tmp_path / "stuck", "--device", "cpu")
    terminal.wait_until_measured()
    worker = terminal.worker()
    terminal.child.send("t")
    wait_for(tmp_path / "stuck")
    terminal.child.kill(signal.SIGTERM)
    assert terminal.ended() == 130
    assert is_restored(terminal)
    assert has_ended(worker)


def test_a_stuck_app_that_hears_of_no_hang_up_ends_with_its_terminal(tmp_path):
    hang_up = [signal.SIGHUP]
    terminal = terminal_of("thread", tmp_path / "stuck", "--device", "cpu", deaf_to=hang_up)
    terminal.wait_until_measured()
    processes = [psutil.Process(terminal.child.pid), terminal.worker()]
    terminal.child.send("t")
    wait_for(tmp_path / "stuck")
    close(terminal)
    assert running_still(processes) == []


def test_a_worker_that_hangs_holds_nobody_up():
    terminal = recorded(80, 24, "--device", "cpu")
    terminal.wait_until_measured()
    worker = terminal.worker()
    worker.suspend()
    asked = time.monotonic()
    terminal.child.kill(signal.SIGTERM)
    assert terminal.ended() == 130
    assert time.monotonic() - asked < 3
    assert is_restored(terminal)
    assert has_ended(worker)
