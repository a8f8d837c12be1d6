"""Brings the observer into a process that runs already.

Python's main thread is asked to start a thread, which does the rest. Where Python itself has no
means for that, gdb asks it, while the process stands still for some milliseconds.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from . import gdb, sockets
from .target import CannotAttach, Target, find

OBSERVER = Path(__file__).parents[2] / "observer"
_LOADER = Path("program/autoload/_vramtop_autoload.py")
_ANSWER_SECONDS = 2.0  # a main thread that runs Python needs a hundredth of that


def attach(pid: int, observer: Path = OBSERVER) -> Path:
    """Let a process be observed; returns its socket. It takes up to some seconds.

    Where it is observed already, nothing is done. Raises `CannotAttach`.
    """
    target = find(pid)
    if sockets.answers(target.socket):
        return target.socket
    try:
        sockets.make_folder(target.socket.parent, target.uid)
        with suppress(FileNotFoundError):
            target.failure.unlink()
        with _visible(observer, target) as folder:
            _enter(target, _code(folder / _LOADER, target.folder))
    except OSError as error:
        raise CannotAttach(f"{error.filename} {error.strerror}") from error
    return target.socket


def _enter(target: Target, code: str) -> None:
    """Let the process run this code, until the observer answers. Raises `CannotAttach`."""
    if _ask_python(target, code):
        return
    with gdb.tried() as debugger:
        for where in debugger.places:
            if gdb.ask(debugger, target, code, where) and _answered(target, _ANSWER_SECONDS):
                return
    raise CannotAttach(
        f"process {target.pid} runs no Python code now, as if all its threads waited; "
        "try again later"
    )


def _ask_python(target: Target, code: str) -> bool:
    """Ask by Python's own means, which it has from 3.14 on where both have the same version."""
    if sys.version_info < (3, 14):
        return False
    number, script = tempfile.mkstemp(".py", dir=target.socket.parent)
    with os.fdopen(number, "w") as file:
        os.fchmod(number, 0o644)
        file.write(code)
    try:
        sys.remote_exec(target.pid, f"{target.folder}/{Path(script).name}")
        return _answered(target, _ANSWER_SECONDS)
    except (OSError, RuntimeError):
        return False
    finally:
        Path(script).unlink()


def _sees(target: Target, observer: Path) -> bool:
    with suppress(OSError):
        return Path(f"{target.root}{observer}").samefile(observer)
    return False


@contextmanager
def _visible(observer: Path, target: Target) -> Iterator[Path]:
    """The observer's folder as the process sees it; in a container it gets a copy meanwhile.

    Once the observer answers it has imported all of its modules, and needs no file.
    """
    if _sees(target, observer):
        yield observer
        return
    copy = Path(tempfile.mkdtemp(prefix="vramtop-observer-", dir=f"{target.root}/tmp"))
    try:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(observer, copy / "observer", ignore=ignored)
        copy.chmod(0o755)
        yield Path("/", (copy / "observer").relative_to(target.root))
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _code(loader: Path, folder: str) -> str:
    """One line of Python that starts a thread, and leaves no name behind."""
    thread = (
        "try:\n"
        " import importlib.util as util\n"
        f" spec = util.spec_from_file_location('_vramtop_autoload', {str(loader)!r})\n"
        " loader = util.module_from_spec(spec)\n"
        " spec.loader.exec_module(loader)\n"
        f" loader.attach({folder!r})\n"
        "except Exception: pass\n"
    )
    # An error here would be raised in the program, wherever it is.
    start = (
        "try:\n"
        " import _thread\n"
        f" _thread.start_new_thread(exec, ({thread!r}, {{}}))\n"
        "except Exception: pass\n"
    )
    return f"exec({start!r}, {{}})"


def _answered(target: Target, seconds: float) -> bool:
    """Whether the observer is in, within this time; raises `CannotAttach` where it says why not."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if target.socket.exists() and sockets.answers(target.socket):
            return True
        if target.failure.exists():
            reason = target.failure.read_text()
            target.failure.unlink()
            raise CannotAttach(f"process {target.pid}: {reason}")
        if not Path(f"/proc/{target.pid}").exists():
            break
        time.sleep(0.02)
    find(target.pid)
    return False
