"""Runs programs in forked children, so that torch is imported once. A request is a line of JSON.

CUDA starts only in a child. A child's exit status is written as a line when it has ended.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path

import torch
import torch._dynamo  # optimizers import it, which takes longer than torch itself
import vramtop.observer.program.agent  # noqa: F401

LIMIT_SECONDS = 90


def run(request: dict[str, str]) -> None:
    """A child: run the program, and write what was observed and counted."""
    from running import Run

    signal.alarm(LIMIT_SECONDS)
    module, _, name = request["program"].rpartition(".")
    device = torch.device(request["device"])
    if device.type == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    torch.manual_seed(0)
    running = Run(device)
    try:
        getattr(importlib.import_module(module), name)(running)
    finally:
        running.leave()
    result = {"messages": running.messages, "counted": running.counted, "said": running.said}
    Path(request["result"]).write_text(json.dumps(result))


def main() -> None:
    """Serve until the input ends."""
    gc.freeze()  # the observer's search looks at all objects but these
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            status = 1
            try:
                errors = os.open(
                    Path(request["result"]).with_suffix(".err"), os.O_CREAT | os.O_WRONLY
                )
                os.dup2(errors, 1)
                os.dup2(errors, 2)
                run(request)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)  # PyTorch may abort where an interpreter shuts down
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
