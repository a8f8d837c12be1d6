"""A program in a container is entered from outside, and keeps nothing of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from piloted import monitor
from vramtop.protocol.observed.record import Holders, WatchedStep
from vramtop.tui.programs.inject import OBSERVER, attach

pytestmark = pytest.mark.skipif(shutil.which("gdb") is None, reason="needs gdb")


def test_a_program_in_a_container_is_entered_by_the_pid_that_it_has_outside(
    tmp_path: Path,
) -> None:
    container = ("unshare", "--mount", "--fork", "--pid", "--mount-proc", "--kill-child")
    if subprocess.run([*container, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces of our own here")
    # It has a /tmp of its own, so it sees neither this folder nor ours of sockets.
    observer = shutil.copytree(OBSERVER, tmp_path / "observer")
    packages = Path(torch.__file__).parents[1]
    inside = (
        f"mount --bind {packages} /mnt && mount -t tmpfs none /tmp && "
        "mkdir -p $(dirname $VRAMTOP_SOCKETS) && exec"
    )
    train = (
        "import torch; model = torch.nn.Linear(9, 9); print(flush=True)\n"
        "while True: model(torch.ones(9, 9))"
    )
    shell = subprocess.Popen(
        [*container, "sh", "-c", f"{inside} {Path(sys.executable).resolve()} -c '{train}'"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "/mnt"},
    )
    try:
        assert shell.stdout is not None
        shell.stdout.readline()
        (child,) = psutil.Process(shell.pid).children()
        watching = monitor(attach(child.pid, observer))
        greeted = watching.read()
        assert greeted.pid != child.pid
        # It got a copy of the observer, which works on although it is gone again.
        inner = Path(f"/proc/{child.pid}/root/tmp")
        assert [each.name for each in inner.iterdir() if "observer" in each.name] == []
        watching.watch()
        while not isinstance(step := watching.read(), WatchedStep):
            pass
        addresses = [address for address, _ in step.blocks]
        watching.say(type="who", device=step.device, addresses=addresses)
        while not isinstance(told := watching.read(), Holders):
            pass
        assert "_parameters of Linear in linear.py" in {each.what for each in told.holders}
    finally:
        shell.kill()
        shell.communicate()
