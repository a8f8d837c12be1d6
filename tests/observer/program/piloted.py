"""A program that does what a test tells it, and a monitor as simple as can be."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from vramtop.protocol.observed.record import VERSION, FromObserver

HERE = Path(__file__).parent
OBSERVER = HERE.parents[2] / "observer"
SECONDS = 30  # no test waits longer
opened: list[Monitor | Piloted] = []  # closed after each test

# Runs each line of Python that it reads, and prints the value of an expression, or "done".
_LOOP = """
import sys
names = {"__name__": "__main__"}
for line in sys.stdin:
    try:
        print(repr(eval(line, names)), flush=True)
    except SyntaxError:
        exec(line, names)
        print("done", flush=True)
"""
CONNECTED = """
import _vramtop_autoload; _vramtop_autoload.load()
from _vramtop_observer.program.connection import Connection
from _vramtop_observer.program.agent import Agent
connection = Connection(lambda send: Agent(send, since_start=True), {folder!r}, {monitor!r})
connection.start()
"""


def observer(folder: Path) -> Path:
    """The observer's folder with the simple agent in it; returns that of its autoload."""
    program = folder / "observer" / "program"
    program.mkdir(parents=True)
    for file in ("__init__.py", "private.py", "private_cuda.py"):
        (program.parent / file).symlink_to(OBSERVER / file)
    for file in OBSERVER.joinpath("program").iterdir():
        if file.name not in ("agent.py", "__pycache__", "autoload"):
            (program / file.name).symlink_to(file)
    (program / "agent.py").symlink_to(HERE / "simple_agent.py")
    autoload = program / "autoload"
    autoload.mkdir()
    for file in OBSERVER.joinpath("program", "autoload").iterdir():
        (autoload / file.name).symlink_to(file)
    return autoload


class Piloted:
    """A process that runs Python, line by line."""

    def __init__(self, *options: str, python: str = sys.executable, **environment: str) -> None:
        self.process = subprocess.Popen(
            [python, *options, "-c", _LOOP],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment,
        )  # fmt: skip
        self.pid = self.process.pid
        opened.append(self)

    def do(self, *lines: str) -> str:
        """Run these lines; returns what the last is worth."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        answer = ""
        for line in lines:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().rstrip("\n")
            assert answer, self.process.stderr and self.process.stderr.read()
        return answer

    def connect(self, autoload: Path, folder: Path | str, monitor: str = "") -> None:
        """Let it wait for monitors."""
        self.do(f"import sys; sys.path.insert(0, {str(autoload)!r})")
        self.do(*CONNECTED.format(folder=str(folder), monitor=monitor).strip().splitlines())

    def close(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.communicate()

    def end(self) -> tuple[int, str]:
        """Let it reach its end; returns its exit code and what it complained of."""
        _, complaints = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, complaints


class Monitor:
    """Reads what an observer says, strictly."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.close = link.close
        opened.append(self)
        link.settimeout(SECONDS)

    def say(self, **message: object) -> None:
        body = json.dumps(message).encode()
        self.link.sendall(len(body).to_bytes(4, "big") + body)

    def watch(self) -> None:
        self.say(type="watch", version=VERSION)

    def read(self) -> Any:
        """The next message; None at the end."""
        length = self._bytes(4)
        if not length:
            return None
        body = self._bytes(int.from_bytes(length, "big"))
        decoded: Any = msgspec.json.decode(body, type=FromObserver)
        return decoded

    def _bytes(self, count: int) -> bytes:
        data = b""
        while len(data) < count and (more := self.link.recv(count - len(data))):
            data += more
        return data


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder that is not there yet, with a path that is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="vt", dir="/tmp") as made:
        yield Path(made) / "s"


def close_all() -> None:
    """Close what a test has opened."""
    while opened:
        opened.pop().close()


def monitor(path: Path) -> Monitor:
    """A monitor, connected as soon as there is something to connect with."""
    link = socket.socket(socket.AF_UNIX)
    until(lambda: not link.connect_ex(str(path)))
    return Monitor(link)


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
