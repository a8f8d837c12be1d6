"""Python's own way into a process, `sys.remote_exec`, which it has from 3.14 on.

An older Python has none; there gdb does for these tests what it would do.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from piloted import monitor
from vramtop.protocol.observed.record import Observed
from vramtop.tui.programs import gdb, inject
from vramtop.tui.programs.target import find

pytestmark = pytest.mark.skipif(shutil.which("gdb") is None, reason="needs gdb")

RUNS = """
import time
print("ready", file=said, flush=True)
while True:
    time.sleep(0.001)
"""


def by_gdb(pid: int, script: str) -> None:
    """Lets the process run the script."""
    code, target = f"exec(open({script!r}).read(), {{}})", find(pid)
    with gdb.tried() as debugger:
        assert any(gdb.ask(debugger, target, code, where) for where in debugger.places)


def refused(_: int, __: str) -> None:
    """As where the process has another version of Python."""
    raise RuntimeError("the remote process runs another version")


@pytest.mark.parametrize("remote_exec", [by_gdb, refused])
def test_it_is_taken_first_and_leaves_no_script(
    run: Callable[[str], int],
    observer: Path,
    monkeypatch: pytest.MonkeyPatch,
    remote_exec: Callable[[int, str], None],
) -> None:
    scripts = list[Path]()

    def asked(pid: int, script: str) -> None:
        scripts.append(Path(script))
        assert scripts[0].stat().st_mode & 0o444 == 0o444  # root enters other users' processes
        remote_exec(pid, script)

    pid = run(RUNS)
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    monkeypatch.setattr(sys, "remote_exec", asked, raising=False)
    path = inject.attach(pid, observer)
    monkeypatch.undo()
    assert isinstance(monitor(path).read(), Observed)
    assert len(scripts) == 1
    assert not scripts[0].exists()
