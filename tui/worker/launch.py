"""How the trainer's programs are started, whatever the current folder holds."""

from __future__ import annotations

import os
import sys

# Runs a module as `python -m` does, but without the current folder on the path: a torch.py or
# queue.py in there must not be imported. Python 3.10 has no option for that.
_RUN = (
    "import sys; sys.path[:] = filter(None, sys.path); import runpy; "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def command(module: str, *arguments: str) -> list[str]:
    """The command that runs `module` with the monitor's own Python."""
    return [sys.executable, "-c", _RUN, module, *arguments]


def environment() -> dict[str, str]:
    """The environment of a worker: CUDA numbers GPUs in the order of the bus, as NVML does.

    CUDA's default is the fastest first. A user's own CUDA_DEVICE_ORDER stays.
    """
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", **os.environ}
