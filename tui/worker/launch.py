"""How a program of the trainer's is started, wherever the user stands."""

from __future__ import annotations

import os
import sys

# As `python -m` runs a module, but for the current folder: a torch.py or queue.py that lies there
# is not what is meant. Python 3.10 has no option for that.
_RUN = (
    "import sys; sys.path[:] = filter(None, sys.path); import runpy; "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def command(module: str, *arguments: str) -> list[str]:
    """The command that runs `module` in a Python of our kind."""
    return [sys.executable, "-c", _RUN, module, *arguments]


def environment() -> dict[str, str]:
    """The environment of a worker, in which CUDA numbers GPUs by their bus, as NVML does.

    Its own order is the fastest first. Whoever has set one keeps it.
    """
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", **os.environ}
