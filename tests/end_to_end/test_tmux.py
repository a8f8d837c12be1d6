"""The monitor under a shell in tmux: resizing, job control and sudden ends."""

from __future__ import annotations

from pathlib import Path

import psutil
from terminal import MEASURED
from tmux import PROMPT, Tmux, tmux

CATEGORIES = ("Parameters", "Gradients", "Optimizer state", "Batch data", "Temporaries")


def resized(pane: Tmux) -> None:
    """Give the pane many sizes, and see that each screen fits and shows what was measured."""
    pane.resize(80, 24)
    # Only a narrow screen shortens the unit of this rate.
    assert all(name in pane.wait_for(r"\d/s  step") for name in CATEGORIES)
    pane.resize(120, 40)
    assert all(name in pane.wait_for(r"samples/s  epoch") for name in CATEGORIES)
    for columns, lines in ((80, 15), (80, 10), (60, 6), (120, 12), (40, 6)):
        pane.resize(columns, lines)
        shown = pane.wait_for(r"(?s)peak .*full bar.*[aA]ct.*help  q quit *\n?\Z")
        assert len(shown.rstrip("\n").split("\n")) == lines
    pane.resize(39, 5)
    pane.wait_for("needs 40 by 6")
    pane.resize(80, 24)
    pane.wait_for(r"Activations +\S+ +\S+ +74\.0")


def suspended(pane: Tmux) -> None:
    """Suspend the monitor, use the shell, see that the worker rests, and let both go on."""
    pane.keys("C-z")
    pane.wait_for(rf"(?s)Stopped.*{PROMPT}")
    assert pane.monitor.status() == psutil.STATUS_STOPPED
    pane.keys("echo th''is is a shell", "Enter")
    pane.wait_for("this is a shell")
    pane.rests()
    pane.keys("fg", "Enter")
    pane.wait_for(r"Activations +\S+ +\S+ +74\.0")
    pane.keys("-")
    pane.wait_for(MEASURED)


def test_a_monitor_is_resized_suspended_and_ended(tmp_path: Path) -> None:
    with tmux(tmp_path, 200, 60) as pane:
        pane.start()
        pane.keys("+")
        pane.wait_for(r"Activations +\S+ +\S+ +74\.0")
        resized(pane)
        suspended(pane)
        pane.keys("C-c")
        pane.wait_for(PROMPT)
        assert pane.left() == []


def test_a_closed_window_leaves_neither_monitor_nor_worker(tmp_path: Path) -> None:
    with tmux(tmp_path, 80, 24) as pane:
        pane.start(recorded=True)
        pane.command("new-session", "-d", "-s", "other")
        pane.command("kill-session", "-t", "0")
        assert pane.left() == []
