"""Programs in children of a process that has imported torch."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

SERVER = Path(__file__).with_name("fork_server.py")


class ForkServer:
    """A process that has imported torch and forks a child for each program; started when needed."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._environment, self._folder = environment, folder
        self._numbers = itertools.count()
        self._process: subprocess.Popen[str] | None = None

    def fork(self, script: str, environment: dict[str, str], *arguments: str) -> Child:
        """A child that runs the script; it imports whatever this process can import."""
        number = next(self._numbers)
        output, errors = (self._folder / f"{number}.{stream}" for stream in ("out", "err"))
        output.touch()
        program = {
            "script": script,
            "arguments": arguments,
            "environment": environment,
            "path": sys.path,
            "output": str(output),
            "errors": str(errors),
        }
        return Child(self, self.ask(program), output, errors)

    def ask(self, request: object) -> int:
        """The answer to a request of `fork_server.py`."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, str(SERVER)],
                env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "the process that has imported torch has ended"
        return int(answer)

    def close(self) -> None:
        """Let it end, with its children."""
        if self._process is not None:
            self._process.communicate()


@dataclass(frozen=True)
class Child:
    """A program that runs in a child; what it prints and complains of goes to files."""

    server: ForkServer
    pid: int
    output: Path
    errors: Path

    def first_line(self) -> str:
        """What it prints first, as soon as that is there."""
        while True:
            ended = self._has_ended
            line, end, _ = self.output.read_text().partition("\n")
            if end:
                return line
            assert not ended, self.errors.read_text()
            time.sleep(0.001)

    def end(self) -> str:
        """Wait until it has ended; returns what it printed. AssertionError where it failed."""
        status = self.server.ask(self.pid)
        assert status == 0, f"exit status {status}: {self.errors.read_text()}"
        return self.output.read_text()

    def kill(self) -> None:
        """Kill it; then it has ended, and is a zombie, as nobody has waited for it."""
        os.kill(self.pid, signal.SIGKILL)
        while not self._has_ended:
            time.sleep(0.001)

    @property
    def _has_ended(self) -> bool:
        return psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE
