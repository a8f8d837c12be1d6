"""Environments that hold the wheel as users install it, made without a network.

Dependencies come from the environment that runs the tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = ("accounting", "observer", "protocol", "trainer", "tui")
TIMEOUT_SECONDS = 120
_BUILT_FROM = (*PACKAGES, "LICENSE", "README.md", "pyproject.toml")


def run(python: Path | str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run Python away from the checkout; `more` are variables of its environment."""
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(python), *arguments],
        cwd="/", check=False, capture_output=True, text=True,
        timeout=TIMEOUT_SECONDS, stdin=subprocess.DEVNULL, env=environment | more,
    )  # fmt: skip


def output(python: Path | str, *arguments: str) -> str:
    """Run Python and return what it printed; fails with what it complained of."""
    done = run(python, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build_wheel(folder: Path) -> Path:
    """Build the wheel from a copy of the checkout, since a build leaves folders behind."""
    source = folder / "source"
    source.mkdir()
    for name in _BUILT_FROM:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, source / name)
    isolated = ["--no-build-isolation"] if _can_build_here() else []
    if not isolated:
        wanted = ("download", "-q", "--no-deps", "-d", str(folder), "setuptools>=77")
        if run(sys.executable, "-m", "pip", *wanted).returncode:
            pytest.skip("setuptools 77 is neither here nor to be had")
    build = ("wheel", "-q", "--no-deps", *isolated, "-w", str(folder), str(source))
    output(sys.executable, "-m", "pip", *build)
    (built,) = folder.glob("vramtop_lab-*.whl")
    return built


def _can_build_here() -> bool:
    """Whether the build backend is among this environment's packages."""
    try:
        return int(version("setuptools").partition(".")[0]) >= 77
    except PackageNotFoundError:
        return False


def create(home: Path) -> Path:
    """Create an environment without packages; returns the folder of its commands."""
    venv.create(home, symlinks=True)
    return home / "bin"


def site_packages(commands: Path) -> Path:
    """The folder of the environment's packages."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(output(commands / "python", "-c", where).rstrip("\n"))


def install(commands: Path, wheel: Path) -> None:
    """Install the wheel alone."""
    target = ("install", "-q", "--no-deps", "--no-index", "--force-reinstall", str(wheel))
    output(sys.executable, "-m", "pip", "--python", str(commands / "python"), *target)


def needed(requirements: Iterable[str], extras: Iterable[str] = ()) -> dict[str, Distribution]:
    """All distributions that the requirements ask for, and what those ask for, by name.

    Raises `PackageNotFoundError` where one of them is not installed here.
    """
    found: dict[str, Distribution] = {}
    seen = set()
    left = [(Requirement(text), frozenset(extras)) for text in requirements]
    while left:
        each = requirement, wanted = left.pop()
        marker = requirement.marker
        applies = marker is None or any(marker.evaluate({"extra": e}) for e in ("", *wanted))
        # One package may be asked for again, with another extra.
        if each in seen or not applies:
            continue
        seen.add(each)
        name = canonicalize_name(requirement.name)
        found[name] = distribution(name)
        more = map(Requirement, found[name].requires or ())
        left += [(further, frozenset(requirement.extras)) for further in more]
    return found


def link(commands: Path, distributions: Iterable[Distribution]) -> None:
    """Put these distributions' files, and no others, among the environment's packages."""
    packages = site_packages(commands)
    for each in distributions:
        for path in each.files or ():
            there = Path(str(path.locate()))
            if ".." not in path.parts and there.exists():  # commands lie outside of the folder
                here = packages / path
                here.parent.mkdir(parents=True, exist_ok=True)
                here.symlink_to(there)


def with_pytorch_alone(home: Path) -> Path:
    """The Python of a new environment with PyTorch and what that needs."""
    commands = create(home)
    packages = site_packages(commands)
    for each in needed(["torch"]).values():
        for name in {path.parts[0] for path in each.files or ()} - {"..", "__pycache__"}:
            here, there = packages / name, Path(str(each.locate_file(name)))
            if there.exists() and not here.exists():
                here.symlink_to(there)
    return commands / "python"
