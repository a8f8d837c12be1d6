"""Builds the three libraries of the simulated GPU into a folder named by a hash of their sources.

`python tests/simgpu/build.py FOLDER` builds by hand and prints where.
"""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent / "src"

# Sources of several libraries: the simulated machine, and who holds memory on it.
MACHINE = ["machine.c", "identity.c", "startup.c"]
STATE = ["shared_state.c", "mapping.c", "lifetime.c"]


@dataclass(frozen=True)
class Library:
    """`sources` are names or patterns of files; `map` names its script of exported symbols."""

    name: str
    sources: list[str]
    map: str


RUNTIME = Library(
    "libsimcuda.so",
    [*MACHINE, *STATE, "visible.c", "allocations.c", "runtime_*.c", "blas_*.c"],
    "runtime.map",
)
DRIVER = Library("libcuda.so.1", [*MACHINE, *STATE, "visible.c", "driver_*.c"], "driver.map")
NVML = Library(
    "libnvidia-ml.so.1",
    [*MACHINE, *STATE, "calls.c", "settings.c", "faults.c", "readings.c", "nvml_*.c"],
    "nvml.map",
)

# A simulated function has all parameters of the real one, whether it reads them or not.
FLAGS = [
    "-std=gnu11",
    "-O1",
    "-shared",
    "-fPIC",
    "-pthread",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unused-parameter",
]


class CannotBuildError(Exception):
    """The simulated GPU cannot be built here; the text says why."""


def package_folder(name: str) -> Path | None:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _include_folders() -> list[Path]:
    """CUDA's headers, from the wheels that torch's CUDA build brings along."""
    torch = package_folder("torch")
    if torch is None:
        raise CannotBuildError("torch is not installed")
    cuda = runpy.run_path(str(torch / "version.py"))["cuda"]
    if cuda is None:
        raise CannotBuildError("torch is built without CUDA")
    if not cuda.startswith("13."):
        raise CannotBuildError(f"torch is built for CUDA {cuda}; what is simulated is CUDA 13")
    nvidia, triton = package_folder("nvidia"), package_folder("triton")
    found = []
    for package, folder, header in (
        (nvidia, "cu13/include", "cuda_runtime_api.h"),
        (
            triton,
            "backends/nvidia/include",
            "crt/host_defines.h",
        ),  # included by CUDA's headers
    ):
        if package is None or not (package / folder / header).exists():
            raise CannotBuildError(f"the CUDA header {header} is missing")
        found.append(package / folder)
    return found


def _compiler() -> str:
    if sys.platform != "linux":
        raise CannotBuildError(f"what is simulated is Linux, and this is {platform.system()}")
    compiler = shutil.which("gcc")
    if compiler is None:
        raise CannotBuildError("there is no gcc")
    return compiler


def _commands(compiler: str, includes: list[Path], folder: Path) -> list[list[str]]:
    commands = []
    for library in (RUNTIME, DRIVER, NVML):
        sources = sorted(str(file) for name in library.sources for file in SOURCES.glob(name))
        headers = [argument for path in includes for argument in ("-isystem", str(path))]
        linking = [f"-Wl,-soname,{library.name}", f"-Wl,--version-script={SOURCES / library.map}"]
        output = ["-o", str(folder / library.name)]
        commands.append([compiler, *FLAGS, *headers, *linking, *output, *sources])
    return commands


def _key(commands: list[list[str]]) -> str:
    digest = hashlib.sha256(repr(commands).encode())
    for file in sorted(SOURCES.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _run(commands: list[list[str]]) -> None:
    compilers = [
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands
    ]
    complaints = [compiler.communicate()[1] for compiler in compilers]
    if any(compiler.returncode for compiler in compilers):
        raise RuntimeError("the simulated GPU does not compile:\n" + "".join(complaints))


def build(cache: Path) -> Path:
    """The folder with the libraries, below `cache`; built once for the same sources.

    Raises CannotBuildError where this machine cannot build them, and RuntimeError where they do not
    compile. Of several processes at once, one builds and the others wait for it.
    """
    compiler, includes = _compiler(), _include_folders()
    folder = cache.resolve() / _key(_commands(compiler, includes, Path()))
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache):
        if not folder.exists():
            unfinished = Path(tempfile.mkdtemp(dir=cache.resolve()))
            try:
                _run(_commands(compiler, includes, unfinished))
                unfinished.rename(folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return folder


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """No other process builds in this cache meanwhile."""
    import fcntl  # Windows has none, and does not come here

    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    try:
        print(build(Path(sys.argv[1])))
    except CannotBuildError as reason:
        sys.exit(f"no simulated GPU: {reason}")
