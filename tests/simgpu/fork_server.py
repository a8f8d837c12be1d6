"""Forks a child for each program, so that torch is imported once. A request is a line of JSON.

A program is answered with the pid of its child, and such a pid with the child's exit status once it
has ended. CUDA starts only in a child.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import traceback
from types import ModuleType
from typing import Any

import torch._dynamo  # noqa: F401 - optimizers import it, which takes half as long as torch
import vramtop.observer.program.agent  # noqa: F401

LIMIT_SECONDS = 120  # for a program, on a machine that is busy with other tests


def run(program: dict[str, Any]) -> None:
    """Run it in this child as `python -c` does, with an environment and streams of its own."""
    signal.alarm(LIMIT_SECONDS)
    for stream, path in enumerate((os.devnull, program["output"], program["errors"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), stream)
    os.environ.clear()
    os.environ.update(program["environment"])
    sys.path[:], sys.argv[:] = program["path"], ["-c", *program["arguments"]]
    sys.modules["__main__"] = main = ModuleType("__main__")
    code = compile(program["script"], "<string>", "exec", dont_inherit=True)
    exec(code, main.__dict__)
    sys.stdout.flush()


def fork(program: dict[str, Any]) -> int:
    """The pid of a child that runs this."""
    child = os.fork()
    if not child:
        status = 1
        try:
            run(program)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)  # PyTorch may abort where an interpreter shuts down
    return child


def main() -> None:
    """Serve until the input ends; then end the children that nobody has waited for."""
    gc.freeze()  # the observer's search looks at all objects but these
    children: set[int] = set()
    for line in sys.stdin:
        request = json.loads(line)
        if isinstance(request, int):
            children.remove(request)
            answer = os.waitstatus_to_exitcode(os.waitpid(request, 0)[1])
        else:
            answer = fork(request)
            children.add(answer)
        print(answer, flush=True)
    for child in children:
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
