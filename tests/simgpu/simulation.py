"""The simulated GPU as tests use it: machines described by an environment, and programs on them."""

from __future__ import annotations

import ctypes
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from build import NVML, RUNTIME
from children import Child, ForkServer

GIB = 1 << 30
MIB = 1 << 20
CONTEXT = 510 * MIB  # what a process's CUDA context takes of a device, its allocator not counted
DRIVER_RESERVED = 600 * MIB  # what the driver keeps of each device

TIMEOUT_SECONDS = 120  # for a program, on a machine that is busy with other tests

# PyTorch aborts the process where autograd's thread wakes up while the interpreter shuts down. So
# a program ends right after its last line.
_END = """
import os, sys
sys.stdout.flush()
os._exit(0)
"""

Environment = dict[str, str]


class SimulatedGpu:
    """Makes simulated machines; `libraries` is the folder they were built into.

    A machine is an environment: processes that get the same one share its devices.
    """

    def __init__(self, libraries: Path, states: Path) -> None:
        self.libraries = libraries
        self._states = states
        self._numbers = itertools.count()
        self._nvml = ctypes.CDLL(str(libraries / NVML.name))
        self._with_torch = ForkServer(self.environment(), states)

    def environment(
        self,
        *,
        total: int | str = 8 * GIB,
        devices: int = 2,
        others: str = "",
        faults: str = "",
        values: str = "",
        mig: str = "",
        names: str = "",
        visible: str | None = None,
        driver: int | str = "",
        cuda_error: int | str = "",
        fastest: int | str = "",
        cublas: int | str = "",
        kernel: int | str = "",
        shares: str = "",
    ) -> Environment:
        """A fresh machine; README.md has what the strings may say.

        `total` is bytes on each device, or a list with a number for each; `visible` is
        CUDA_VISIBLE_DEVICES (None: not set). The variables are this process's own with those of the
        simulation. Raises ValueError for a fault of a function that is not simulated.
        """
        machine = self._states / str(next(self._numbers))
        search = [str(self.libraries), os.environ.get("LD_LIBRARY_PATH", "")]
        environment = {
            **os.environ,
            "LD_LIBRARY_PATH": ":".join(filter(None, search)),
            "LD_PRELOAD": str(self.libraries / RUNTIME.name),
            "SIMGPU_STATE": str(machine.with_suffix(".state")),
            "SIMGPU_CONTROL": str(machine.with_suffix(".control")),
            "SIMGPU_TOTAL": str(total),
            "SIMGPU_DEVICES": str(devices),
            "SIMGPU_OTHERS": others,
            "SIMGPU_FAULT": self._checked(faults),
            "SIMGPU_VALUES": values,
            "SIMGPU_MIG": mig,
            "SIMGPU_NAMES": names,
        }
        environment |= {
            "SIMGPU_CONTEXTS": str(machine.with_suffix(".contexts")),
            "SIMGPU_DRIVER": str(driver),
            "SIMGPU_CUDA_ERROR": str(cuda_error),
            "SIMGPU_FASTEST": str(fastest),
            "SIMGPU_CUBLAS": str(cublas),
            "SIMGPU_KERNEL": str(kernel),
            "SIMGPU_SHARES": shares,
        }
        for variable in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
            environment.pop(variable, None)
        if visible is not None:
            environment["CUDA_VISIBLE_DEVICES"] = visible
        return environment

    def control(self, environment: Environment, text: str) -> None:
        """Replace the machine's faults by those in `text`; its values override earlier ones."""
        file = Path(environment["SIMGPU_CONTROL"])
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(self._checked(text))
        unfinished.replace(file)  # no reader sees half of it

    def contexts(self, environment: Environment) -> list[tuple[int, int]]:
        """Each context that was ever made on the machine: the process's id and the device."""
        file = Path(environment["SIMGPU_CONTEXTS"])
        lines = file.read_text().splitlines() if file.exists() else []
        pairs = (line.split() for line in lines)
        return [(int(pid), int(device)) for pid, device in pairs]

    def _checked(self, faults: str) -> str:
        for entry in faults.replace("\n", ",").split(","):
            name = entry.partition("=")[0].partition(":")[0]
            if name.startswith("nvml") and not hasattr(self._nvml, name):
                raise ValueError(f"{name} is not simulated")
        return faults

    def start(self, script: str, environment: Environment) -> subprocess.Popen[str]:
        """A Python process on that machine that runs `script`; its streams are pipes of text."""
        return subprocess.Popen(
            [sys.executable, "-c", script],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, environment: Environment) -> str:
        """What `script` printed in a Python of its own; AssertionError with its stderr on failure.

        It ends after its last line, without the interpreter's shutdown.
        """
        with self.start(script + _END, environment) as process:
            try:
                output, errors = process.communicate(timeout=TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert process.returncode == 0, errors
        return output

    def fork(self, script: str, environment: Environment, *arguments: str) -> Child:
        """`script` on that machine, in a child of a process that has imported torch already.

        It imports whatever this process can import, and ends as in `run`.
        """
        importable = {"PYTHONPATH": ":".join(sys.path)}  # also by what it starts
        return self._with_torch.fork(script, environment | importable, *arguments)

    def run_torch(self, script: str, environment: Environment) -> str:
        """What `script` printed in such a child; AssertionError with its stderr on failure."""
        return self.fork(script, environment).end()

    def run_file(self, program: Path, environment: Environment) -> str:
        """What the program in a file printed in such a child."""
        return self.run_torch(program.read_text(), environment)

    def close(self) -> None:
        """End the process that has imported torch, if there is one."""
        self._with_torch.close()

    @contextmanager
    def nvml(self, environment: Environment) -> Iterator[None]:
        """This process's own pynvml reads that machine, until the block ends.

        pynvml keeps the library that it loaded and its functions in two globals: they are replaced
        and put back, so that what it held before is untouched. Only SIMGPU_* variables are set. One
        block at a time: the library is one, and is shut down at the end.
        """
        import pynvml

        before = pynvml.nvmlLib, pynvml._nvmlGetFunctionPointer_cache, pynvml._nvmlLib_refcount
        variables = {name: text for name, text in environment.items() if name[:7] == "SIMGPU_"}
        own = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        pynvml.nvmlLib, pynvml._nvmlGetFunctionPointer_cache = self._nvml, {}
        try:
            yield
        finally:
            os.environ["SIMGPU_CONTROL"] = os.environ["SIMGPU_FAULT"] = ""
            while self._nvml.nvmlShutdown() == 0:
                pass  # as often as it was initialised
            pynvml.nvmlLib, pynvml._nvmlGetFunctionPointer_cache, pynvml._nvmlLib_refcount = before
            for name, text in own.items():
                if text is None:
                    del os.environ[name]
                else:
                    os.environ[name] = text
