"""Programs that are started to be observed: what they get, what is passed on, and how they end."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from piloted import until
from vramtop.tui.programs import launch
from vramtop.tui.programs.launch import CannotStart, callers, environment, exit_code, start


@pytest.fixture(autouse=True)
def simple_agent(observer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "AUTOLOAD", observer / "program" / "autoload")


async def test_a_program_calls_with_its_first_work_with_pytorch() -> None:
    called = await callers()
    code = "import torch; torch.nn.Linear(1, 1); input()"
    shell = ("sh", "-c", f'echo | exec "{sys.executable}" -c "{code}"')
    process = await start(shell, called.path)
    watching = await asyncio.wait_for(called.next(), 60)
    assert watching.observed.since_start
    watching.watch()
    await watching.close()
    assert await process.wait() == 0
    called.close()
    assert not called.path.exists()


async def test_what_a_killed_monitor_has_left_is_removed(folder: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    folder.mkdir(0o700)
    elsewhere = folder / "run-4000000000"  # a pid that no process here can have
    left = [folder / f"run-{gone.pid}", folder / f"run-{os.getppid()}", elsewhere]
    sockets = [socket.socket(socket.AF_UNIX) for _ in left]
    for each, path in zip(sockets, left, strict=True):
        each.bind(str(path))
    sockets[2].listen()
    (await callers()).close()
    # The second belongs to a process that may yet listen, and at the third somebody answers.
    assert sorted(folder.iterdir()) == sorted(left[1:])
    for each in sockets:
        each.close()


def test_the_users_own_pythonpath_stays_and_nothing_else_changes() -> None:
    ours = str(launch.AUTOLOAD)
    for given, wanted in (
        ({"PYTHONPATH": "/a:/b"}, f"{ours}:/a:/b"),
        ({"PYTHONPATH": ""}, ours),  # an empty part would be the current folder
        ({}, ours),
    ):
        made = environment(Path("/m"), given)
        assert made.pop("PYTHONPATH") == wanted
        assert made == {"VRAMTOP_SOCKETS": f"/tmp/vramtop-{os.geteuid()}", "VRAMTOP_MONITOR": "/m"}


def test_where_pytorch_would_not_load_the_observer_that_is_reported() -> None:
    command = ("python", "train.py", "-I")
    assert launch.why_not(command, {}) is None
    assert launch.why_not(command, {"TORCH_DEVICE_BACKEND_AUTOLOAD": "1"}) is None
    reason = launch.why_not(command, {"TORCH_DEVICE_BACKEND_AUTOLOAD": "0"})
    assert reason == "TORCH_DEVICE_BACKEND_AUTOLOAD is 0, which keeps the observer out; " + (
        "vramtop attach works"
    )


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("python -I train.py", "I"),
        ("/usr/bin/python3.12 -E -m train", "E"),
        ("python3 -uBE train.py", "uBE"),
        ("python -W ignore -X dev -I train.py", "I"),
        ("python -Wignore -I train.py", "I"),
        ("python train.py -I", ""),
        ("python -m train -E", ""),
        ("python -c 'E' -I", ""),
        ("python -u -mE -I", ""),
        ("python -X Eager train.py", ""),
        ("python --version -I", ""),
        ("torchrun -I train.py", ""),
    ],
)
def test_a_python_that_ignores_pythonpath_is_reported(command: str, option: str) -> None:
    reason = launch.why_not(shlex.split(command), {})
    assert reason == (
        f"python -{option} ignores PYTHONPATH, which keeps the observer out; vramtop attach works"
        if option
        else None
    )


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("no-such-command", "no-such-command: no such command"),
        ("/etc/passwd", "/etc/passwd: Permission denied"),
        ("/tmp", "/tmp: Permission denied"),
    ],
)
async def test_a_command_that_cannot_be_started_is_reported(command: str, why: str) -> None:
    with pytest.raises(CannotStart) as raised:
        await start((command,), Path("/nonexistent"))
    assert str(raised.value) == why
    assert raised.value.exit_code == (127 if "no such" in why else 126)


# ---- with the caller's own streams, signals and exit code ---------------------------------------

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
HEADLESS = """
import asyncio, sys
from pathlib import Path
from vramtop.tui.programs.launch import exit_code, signals_passed_on, start
async def main():
    process = await start(sys.argv[1:], Path("/nonexistent"))
    with signals_passed_on(process):
        print("started", process.pid, file=sys.stderr, flush=True)
        return exit_code(await process.wait())
sys.exit(asyncio.run(main()))
"""


def headless(*command: str, ignored: tuple[signal.Signals, ...] = ()) -> subprocess.Popen[str]:
    def handle_signals() -> None:  # whatever whoever runs the tests ignores
        for number in PASSED_ON:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

    return subprocess.Popen(
        [sys.executable, "-c", HEADLESS, *command],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=handle_signals,  # noqa: PLW1509
    )  # fmt: skip


def test_streams_and_the_exit_code_are_the_programs_own() -> None:
    process = headless("sh", "-c", "cat; echo complaint >&2; exit 7")
    said, complained = process.communicate("typed\n")
    assert (process.returncode, said) == (7, "typed\n")
    assert "complaint\n" in complained
    ended = headless("sh", "-c", "kill -9 $$")
    ended.communicate()
    assert ended.returncode == 128 + signal.SIGKILL
    assert [exit_code(code) for code in (0, 3, -15)] == [0, 3, 143]


@pytest.mark.parametrize("number", PASSED_ON)
def test_signals_are_passed_on_and_the_program_decides(
    number: signal.Signals, tmp_path: Path
) -> None:
    code = (
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(5))\n"
        f"open({str(tmp_path / 'ready')!r}, 'w').close()\n"
        "time.sleep(60)"
    )
    process = headless(sys.executable, "-c", code)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("started")
    until((tmp_path / "ready").exists)
    process.send_signal(number)
    process.communicate()
    assert process.returncode == 5


def test_a_signal_that_the_caller_ignores_is_ignored_by_the_program_too(tmp_path: Path) -> None:
    wait = f"touch {tmp_path / 'ready'}; read line; exit 3"
    process = headless("sh", "-c", wait, ignored=(signal.SIGHUP,))  # as nohup does
    until((tmp_path / "ready").exists)
    os.killpg(process.pid, signal.SIGHUP)
    process.communicate("\n")
    assert process.returncode == 3
