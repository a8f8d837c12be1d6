"""The observer in a process that runs already, and each reason why it cannot come in."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from piloted import Monitor, monitor, until
from vramtop.protocol.observed.record import Observed, Progress
from vramtop.tui.programs import gdb, inject
from vramtop.tui.programs.target import CannotAttach, refusal

pytestmark = pytest.mark.skipif(shutil.which("gdb") is None, reason="needs gdb")

HEARTBEAT = """
import time
worst, last = 0.0, time.perf_counter()
print("ready", file=said, flush=True)
while True:
    now = time.perf_counter()
    if now - last > worst:
        worst = now - last
        print(worst, file=said, flush=True)
    last = now
"""
RUNS = """
import time
print("ready", file=said, flush=True)
while True:
    time.sleep(0.001)
"""
ANSWERS = """
import _thread, signal
_thread.start_new_thread = None
signal.signal(signal.SIGUSR1, lambda *_: print("goes on", file=said, flush=True))
"""
TRAINS_BESIDE = """
import threading
def train():
    weights = torch.ones(64, 64)
    while True:
        (weights @ weights).sum()
        said.flush()
import torch
thread = threading.Thread(target=train)
print("ready", file=said, flush=True)
thread.start()
thread.join()
"""
WAITS = """
import os, torch
print("ready", file=said, flush=True)
os.read({}, 1)
while True:
    torch.ones(9).sum()
    print("works", file=said, flush=True)
"""


# Looks as if it had loaded torch.
LOADED = """
import mmap, os, sys, types
sys.modules["torch"] = types.ModuleType("torch")
os.makedirs("/tmp/vramtop-test", exist_ok=True)
with open("/tmp/vramtop-test/libtorch_python.so", "w+b") as file:
    file.write(bytes(4096))
    file.flush()
    kept = mmap.mmap(file.fileno(), 4096)
print("ready", flush=True)
while True:
    sum(range(9))
"""


def greeting(path: Path) -> Monitor:
    """A monitor that has been greeted by the program behind this socket."""
    looking = monitor(path)
    assert isinstance(looking.read(), Observed)
    return looking


def test_a_loop_that_knows_nothing_is_observed_and_hardly_stands_still(
    run: Callable[[str], int],
    observer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gdb, "_WAITING_SECONDS", 3.0)  # it never lets go of Python
    pid = run(HEARTBEAT)
    watching = greeting(inject.attach(pid, observer))
    watching.watch()
    assert isinstance(watching.read(), Progress)
    assert float((tmp_path / "said").read_text().split()[-1]) < 0.6  # seconds; 0.02 where idle


def test_it_leaves_no_name_and_no_thread_that_the_program_sees(
    run: Callable[[str], int], observer: Path, tmp_path: Path
) -> None:
    pid = run(
        "import os, sys, threading, time\n"
        "main = vars(sys.modules['__main__'])\n"
        "before, mask = set(main), __import__('signal').pthread_sigmask(0, [])\n"
        "print('ready', file=said, flush=True)\n"
        "while '_vramtop_observer.program.agent' not in sys.modules: time.sleep(0.01)\n"
        "print(set(main) - before, threading.active_count(), file=said, flush=True)\n"
        "time.sleep(99)"
    )
    greeting(inject.attach(pid, observer))
    until(lambda: (tmp_path / "said").read_text().count("\n") == 2)
    assert (tmp_path / "said").read_text() == "ready\nset() 1\n"


def test_a_program_that_is_observed_already_is_not_entered_again(
    run: Callable[[str], int], observer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = run(RUNS)
    path = inject.attach(pid, observer)
    monkeypatch.setenv("PATH", "/nonexistent")  # so there is no gdb
    assert inject.attach(pid, observer) == path


def test_a_file_that_was_cleaned_away_is_made_again(
    run: Callable[[str], int], observer: Path
) -> None:
    pid = run(RUNS)
    shutil.rmtree(inject.attach(pid, observer).parent)
    assert greeting(inject.attach(pid, observer))


def test_a_main_thread_that_waits_in_c_does_not_matter_where_another_trains(
    run: Callable[[str], int], observer: Path
) -> None:
    assert greeting(inject.attach(run(TRAINS_BESIDE), observer))


def test_where_no_thread_runs_python_that_is_told_and_the_program_lives_on(
    run: Callable[[str], int],
    observer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gdb, "_WAITING_SECONDS", 1.0)
    os.mkfifo(tmp_path / "fifo")
    pid = run(WAITS.format(f"os.open({str(tmp_path / 'fifo')!r}, os.O_RDWR)"))
    with pytest.raises(CannotAttach, match="runs no Python code now"):
        inject.attach(pid, observer)
    (tmp_path / "fifo").write_text("x")
    until(lambda: (tmp_path / "said").read_text().count("works") > 1000)


def test_a_program_in_which_no_thread_can_start_goes_on(
    run: Callable[[str], int],
    observer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inject, "_ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(gdb, "_WAITING_SECONDS", 0.5)
    pid = run(ANSWERS + RUNS)
    with pytest.raises(CannotAttach):
        inject.attach(pid, observer)
    os.kill(pid, signal.SIGUSR1)
    until(lambda: (tmp_path / "said").read_text().endswith("goes on\n"))


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_every_python_is_entered(
    observer: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gdb, "_WAITING_SECONDS", 3.0)  # it never lets go of Python
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version}")
    program = started(str(found[-1]), "-I", "-c", LOADED)
    try:
        assert program.stdout is not None
        program.stdout.readline()
        greeted = monitor(inject.attach(program.pid, observer)).read()
        assert greeted.python.startswith(version)
    finally:
        program.kill()
        program.communicate()


def test_an_observer_that_cannot_come_in_says_why(
    run: Callable[[str], int], tmp_path: Path, observer: Path
) -> None:
    shutil.copytree(observer, tmp_path / "observer", symlinks=True)
    agent = tmp_path / "observer" / "program" / "agent.py"
    agent.unlink()
    agent.write_text("raise RuntimeError('this torch is too old')")
    pid = run(RUNS)
    with pytest.raises(CannotAttach, match=f"process {pid}: RuntimeError: this torch is too old"):
        inject.attach(pid, tmp_path / "observer")


# ---- where it cannot be tried -------------------------------------------------------------------


def cannot(pid: int) -> str:
    with pytest.raises(CannotAttach) as raised:
        inject.attach(pid)
    (line,) = str(raised.value).splitlines()
    return line


def started(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_a_process_that_is_not_there_or_has_ended_is_told() -> None:
    ended = started("true")
    until(lambda: Path(f"/proc/{ended.pid}/stat").read_text().split()[2] == "Z")
    assert cannot(ended.pid) == f"process {ended.pid} has ended; only its exit code is left"
    ended.communicate()
    assert cannot(ended.pid) == f"there is no process {ended.pid}"


def test_a_script_that_has_started_a_program_with_torch_names_that(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(LOADED)
    script = started("sh", "-c", f"{sys.executable} {tmp_path / 'train.py'}; true")
    assert script.stdout is not None
    script.stdout.readline()
    (program,) = psutil.Process(script.pid).children()
    try:
        assert cannot(script.pid) == (
            f"process {script.pid} is no Python program; process {program.pid}, below it, has torch"
        )
    finally:
        program.kill()
        script.communicate()


def test_a_program_without_python_or_without_torch_is_told() -> None:
    cat = started("cat")
    assert cannot(cat.pid) == f"process {cat.pid} is no Python program"
    cat.communicate()
    python = started(sys.executable, "-c", "print('ready', flush=True); input()")
    assert python.stdout is not None
    python.stdout.readline()
    assert cannot(python.pid) == f"process {python.pid} has not imported torch"
    python.communicate(b"\n")
    if os.geteuid() == 0:
        assert cannot(2) == "process 2 is no Python program"  # the kernel's


def test_a_stopped_program_and_one_in_a_debugger_are_told(run: Callable[[str], int]) -> None:
    pid = run(RUNS)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "T")
    assert cannot(pid) == f"process {pid} is stopped; continue it with: kill -CONT {pid}"
    os.kill(pid, signal.SIGCONT)
    # Without the libraries' symbols, which take it long to read.
    debugger = started("gdb", "-nx", "-q", "-iex", "set auto-solib-add off", "-p", str(pid))
    until(lambda: "TracerPid:\t0" not in Path(f"/proc/{pid}/status").read_text())
    assert cannot(pid) == f"process {pid} is held by a debugger, process {debugger.pid}"
    debugger.communicate(b"detach\nquit\n")


def test_without_gdb_the_remedy_is_told(
    run: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = run(RUNS)
    monkeypatch.setenv("PATH", "/nonexistent")
    assert cannot(pid) == (
        "attaching needs gdb (apt install gdb), or start the program with: vramtop run"
    )


def test_a_program_that_ends_meanwhile_is_told(
    run: Callable[[str], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = run(RUNS)
    gdb = tmp_path / "gdb"
    gdb.write_text(f'#!/bin/sh\nkill -9 {pid}\nexec {shutil.which("gdb")} "$@"\n')
    gdb.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert cannot(pid) == f"process {pid} has ended; only its exit code is left"


def test_a_folder_that_others_can_write_into_is_refused(
    run: Callable[[str], int], folder: Path
) -> None:
    pid = run(RUNS)
    folder.mkdir()
    folder.chmod(0o777)
    assert cannot(pid).endswith("/s is not a folder of its user alone; remove it")


def attach_as(*wrapper: str, pid: int) -> str:
    """What attaching says when it runs with other rights."""
    code = (
        "import sys\n"
        "from vramtop.tui.programs.inject import attach\n"
        "from vramtop.tui.programs.target import CannotAttach\n"
        "try: print(attach(int(sys.argv[1])))\n"
        "except CannotAttach as error: print(error)\n"
    )
    done = subprocess.run(
        [*wrapper, sys.executable, "-c", code, str(pid)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip() or done.stderr


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can give up rights"
)
def test_where_tracing_is_not_allowed_the_remedy_is_told(run: Callable[[str], int]) -> None:
    pid = run(RUNS)
    bounded = ("setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace")
    told = attach_as(*bounded, pid=pid)
    assert told.startswith(f"no permission to trace process {pid}: in a container, give it SYS_PTR")


def test_each_level_of_ptrace_scope_has_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    scope = tmp_path / "scope"
    for level, remedy in (("1", "sudo sysctl"), ("2", "use sudo"), ("3", "no tracing")):
        scope.write_text(f"{level}\n")
        assert remedy in str(refusal(7, scope))
