"""The monitor in a real terminal: the installed command behind a pseudo-terminal."""

import re
import signal

import psutil
import pytest
from terminal import MEASURED, Terminal, close, recorded, running_still

CATEGORIES = ("Parameters", "Gradients", "Optimizer state", "Batch data", "Temporaries")


def test_the_bars_come_alive_and_keys_typed_at_once_are_handled_one_by_one():
    terminal = Terminal(120, 40, "--device", "cpu")
    terminal.wait_for("starting")
    terminal.wait_until_measured()
    assert all(name in terminal.text() for name in CATEGORIES)
    worker = terminal.worker()
    terminal.child.send("+")
    terminal.wait_for(r"batch 128\b")
    terminal.wait_for(r"Activations +\S+ +\S+ +74\.0")
    terminal.child.send("b")
    terminal.wait_for("Batch size")
    terminal.child.send("\x7f\x7f\x7f51\x7f\x1b[D\x1b[C12\r")
    terminal.wait_for("batch 512 ")
    terminal.quit()
    assert not worker.is_running()
    # Out of the alternate screen, and the cursor is back.
    assert terminal.raw.rindex(b"\x1b[?1049l") > terminal.raw.rindex(b"\x1b[?1049h")
    assert terminal.raw.rindex(b"\x1b[?25h") > terminal.raw.rindex(b"\x1b[?25l")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_worker_and_gives_the_terminal_back(number):
    terminal = recorded(80, 24, "--device", "cpu")
    terminal.wait_until_measured()
    worker = terminal.worker()
    terminal.child.kill(number)
    assert terminal.ended() == 130
    assert not worker.is_running()
    assert terminal.raw.rindex(b"\x1b[?1049l") > terminal.raw.rindex(b"\x1b[?1049h")


def monitor_and_worker(terminal):
    """Both processes, once a step has been measured."""
    terminal.wait_until_measured()
    return [psutil.Process(terminal.child.pid), terminal.worker()]


@pytest.mark.parametrize("keys", ["", "q"])
def test_a_terminal_that_closes_leaves_no_process_behind(keys):
    terminal = recorded(80, 24, "--device", "cpu")
    processes = monitor_and_worker(terminal)
    terminal.child.send(keys)
    close(terminal)  # the kernel then says so to the monitor: hang up, and go on
    assert running_still(processes) == []


def test_a_monitor_that_hears_of_no_hang_up_ends_with_its_terminal_all_the_same():
    terminal = recorded(80, 24, "--device", "cpu", deaf_to=[signal.SIGHUP])
    processes = monitor_and_worker(terminal)
    close(terminal)
    assert running_still(processes) == []


def test_settings_that_only_the_worker_can_judge_end_with_one_line():
    terminal = Terminal(80, 24, "--device", "cuda:99")
    assert terminal.ended() == 2
    assert b"vramtop: device cuda:99" in terminal.raw
    assert b"Traceback" not in terminal.raw


def test_a_killed_worker_is_reported_beside_what_it_measured():
    terminal = recorded(120, 40, "--device", "cpu")
    terminal.wait_until_measured()
    terminal.worker().kill()
    terminal.wait_for("SIGKILL")
    assert "batch 64 " in terminal.text()
    assert re.search(MEASURED, terminal.text())
    terminal.quit()
