"""A training on a simulated GPU that makes processes of all kinds in the midst of a window.

It is observed, as by `vramtop attach` with this folder for sockets, and waits for a screen; or not,
where it is told what it printed when it was. It prints what each process found there of an
observer, and what the training has made.
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import sys
from collections.abc import Callable

import torch
from gpu_training import Training
from left_of_ours import Rows, left, work
from piloted import OBSERVER, until
from watched import wait_until


def _loaded(way: str) -> list[str]:
    loader = torch.utils.data.DataLoader(
        Rows(), batch_size=None, num_workers=1, multiprocessing_context=way
    )
    return [each for row in loader for each in row]


def _pooled(way: str) -> list[str]:
    with multiprocessing.get_context(way).Pool(1) as pool:
        return [each for found in pool.map(work, range(2)) for each in found]


def _forked() -> list[str]:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(write, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        told: list[str] = json.loads(pipe.read())
    os.waitpid(child, 0)
    return told


MAKE: dict[str, Callable[[], list[str]]] = {
    "os.fork": _forked,
    "a pool": lambda: _pooled("fork"),
    "workers, forked": lambda: _loaded("fork"),
    "workers, spawned": lambda: _loaded("spawn"),
}


class Observer:
    """The real one in this process, which begins windows when it is told."""

    def __init__(self, folder: str) -> None:
        loader = OBSERVER / "program" / "autoload" / "_vramtop_autoload.py"
        # Nothing new comes on the program's path.
        spec = importlib.util.spec_from_file_location("_vramtop_autoload", loader)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.attach(folder)
        from _vramtop_observer.program import entry

        self._agent, self._connection = entry._way._agent, entry._way._connection
        until(lambda: self._agent._watching)

    def begin(self) -> None:
        self._agent.begin()

    def end(self) -> None:
        """What Python calls at the end of a program."""
        self._connection.end()

    @property
    def at_work(self) -> bool:
        """Whether a window is open, and the allocator notes what it does."""
        return self._agent._windows.window is not None and torch._C._cuda_isHistoryEnabled()

    def until_shipped(self, step: Callable[[], object]) -> None:
        """Let one more watched step be sent."""
        number = self._agent._windows.shipped
        wait_until(lambda: self._agent._windows.shipped > number, step)


def observed(folder: str) -> dict[str, object]:
    """What each process found, at which step it was made, and what the training has made."""
    training = Training()
    training.step()
    observer = Observer(folder)
    found: dict[str, list[str]] = {}
    steps: dict[str, int] = {}

    def step() -> None:
        observer.begin()
        training.step()

    def make(name: str) -> None:
        if observer.at_work:
            training.at.clear()
            steps[name] = training.done
            found[name] = MAKE[name]()
            if not (observer.at_work and left()):
                found[name].append("the window is closed")

    for name in MAKE:
        training.at["forward"] = lambda name=name: make(name)
        while training.at:
            step()
        observer.until_shipped(step)
    observer.end()
    return {"found": found, "steps": steps, "done": training.done, "made": training.made()}


def unobserved(steps: dict[str, int], done: int) -> dict[str, object]:
    """What the training makes with processes at the same steps."""
    training = Training()

    def make() -> None:
        for name, step in steps.items():
            if step == training.done:
                # A spawned one takes seconds, and changes the training as a forked one does.
                MAKE[name.replace("spawned", "forked")]()

    training.at["forward"] = make
    while training.done < done:
        training.step()
    return {"made": training.made()}


if __name__ == "__main__":
    told = json.loads(sys.argv[2])
    made = unobserved(told["steps"], told["done"]) if told else observed(sys.argv[1])
    print(json.dumps(made), flush=True)
