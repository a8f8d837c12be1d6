"""A screen goes in the midst of a window, in trainings on one and on two simulated GPUs.

Prints for each way in which it goes what is wrong: nothing where all of ours is out while the
program is still within that window, and the training goes on as it does unobserved.
"""

from __future__ import annotations

import _thread
import json
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from gpu_training import PLACES, Training, in_child
from vramtop.observer.program import pacing
from vramtop.observer.program.agent import Agent
from vramtop.observer.program.connection import Connection
from vramtop.observer.program.frames import encode
from vramtop.observer.program.greeting import VERSION
from watched import hooks_in, wait_until

STEPS = 60  # a window opens in one of the first


class Screen:
    """Watches this process through a socket, from a process of its own."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="vt", dir="/tmp")) / "s"
        agents = list[Agent]()

        def agent(send: Callable[[dict[str, object]], None]) -> Agent:
            agents.append(Agent(send, since_start=False))
            return agents[0]

        self.connection = Connection(agent, str(self._folder))
        (self.agent,) = agents
        self.connection.start()
        path = self._folder / f"{os.getpid()}.sock"
        wait_until(path.exists)
        pid = os.fork()
        if not pid:
            with socket.socket(socket.AF_UNIX) as link:
                link.connect(str(path))
                link.sendall(encode({"type": "watch", "version": VERSION}))
                while link.recv(1 << 16):
                    pass
            os._exit(0)
        self._pid: int | None = pid
        wait_until(lambda: self.agent._watching)

    def killed(self) -> None:
        """It is killed; returns when the program knows."""
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = None
        wait_until(lambda: not self.agent._watching)

    def leaves(self) -> None:
        """It leaves, by a thread that is not the program's, nor known to `threading`."""
        _thread.start_new_thread(self.agent.leave, ())
        wait_until(lambda: not self.agent._watching)

    def close(self) -> None:
        """Nothing is left of it either."""
        self.killed()
        self.connection.forget()
        shutil.rmtree(self._folder.parent)


def _plain(steps: int, *, parallel: bool) -> list[object]:
    training = Training(parallel=parallel)
    while training.done < steps:
        training.step()
    return training.made()


def _left(way: str, place: str, *, parallel: bool) -> list[object]:
    """What is wrong within the window, what the training made, and in how many steps."""
    pacing.LEAST_SECONDS, pacing.MOST_SHARE = 0.0, 1e9
    training = Training(parallel=parallel)
    training.step()
    before = hooks_in()
    screen = Screen()
    wrong: list[str] = []

    def go() -> None:
        if screen.agent._windows.window is None:
            return
        training.at.clear()
        if not torch._C._cuda_isHistoryEnabled():
            wrong.append("no history was recorded")
        getattr(screen, way)()
        # What optimizers go through stays until they have.
        wait_until(lambda: place == "optimizer" or not screen.agent._windows.hooks.any)
        wait_until(lambda: not torch._C._cuda_isHistoryEnabled())

    training.at[place] = go
    while training.at:
        screen.agent.begin()
        training.step()
    wait_until(lambda: hooks_in() == before)
    screen.close()
    while training.done < STEPS:
        training.step()
    return [wrong, training.made(), training.done]


def main() -> None:
    told = {}
    for parallel in (False, True):
        plain: dict[int, list[object]] = {}
        for way in ("leaves", "killed"):
            for place in PLACES:
                left = in_child(lambda: _left(way, place, parallel=parallel))  # noqa: B023
                wrong, made, steps = left
                # On a busy machine a window may take more than STEPS to open.
                if steps not in plain:
                    plain[steps] = in_child(lambda: _plain(steps, parallel=parallel))  # noqa: B023
                if made != plain[steps]:
                    wrong.append("the training is another one")
                told[f"{way} in {place} on {1 + parallel}"] = wrong
    print(json.dumps(told))


if __name__ == "__main__":
    main()
