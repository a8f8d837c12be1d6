"""The wheel that users install: what is in it, and that it runs without the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 120
_BUILT_FROM = ("trainer", "tui", "LICENSE", "README.md", "pyproject.toml")


def _python(python: Path | str, *arguments: str) -> str:
    """What it printed; fails with what it complained of."""
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), *arguments],
        cwd="/", check=False, capture_output=True, text=True,
        timeout=TIMEOUT_SECONDS, stdin=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _can_build_here() -> bool:
    """Whether the build backend is among this environment's packages."""
    try:
        return int(version("setuptools").partition(".")[0]) >= 77
    except PackageNotFoundError:
        return False


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: a build leaves folders behind."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in _BUILT_FROM:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, source / name)
    python = Path(sys.executable)
    isolated = ["--no-build-isolation"] if _can_build_here() else []
    if not isolated:
        got = subprocess.run(
            [python, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "setuptools>=77"],
            check=False, capture_output=True, text=True, timeout=TIMEOUT_SECONDS,
        )  # fmt: skip
        if got.returncode:
            pytest.skip("setuptools 77 is neither here nor to be had")
    build = ("-m", "pip", "wheel", "-q", "--no-deps", *isolated, "-w", str(folder), str(source))
    _python(python, *build)
    (built,) = folder.glob("vramtop_lab-*.whl")
    return built


def test_all_that_is_needed_is_in_it_and_nothing_else(wheel: Path) -> None:
    kinds = (".py", ".tcss", ".typed")
    wanted = {
        f"vramtop/{path.relative_to(ROOT).as_posix()}"
        for package in ("trainer", "tui")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and (path.suffix in kinds or path.name == "py.typed")
    }
    wanted |= {
        f"vramtop/trainer/sample/{path.name}" for path in (ROOT / "trainer" / "sample").iterdir()
    }
    held = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    about = {name for name in held if name.split("/")[0].endswith(".dist-info")}
    assert held - about == wanted
    assert {name.partition("/licenses/")[2] for name in about} > {
        "LICENSE",
        "trainer/sample/LICENSE",
    }


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of its commands, in an environment with the packages that are here beside it."""
    home = tmp_path_factory.mktemp("home")
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    packages = Path(
        _python(python, "-c", "import sysconfig as s; print(s.get_path('purelib'))")[:-1]
    )
    # Not by `addsitedir`, which would bring the checkout in too.
    here = [folder for folder in sys.path if Path(folder).name == "site-packages"]
    (packages / "beside.pth").write_text("\n".join(here) + "\n")
    target = ("install", "-q", "--no-deps", "--no-index", "--force-reinstall", str(wheel))
    _python(sys.executable, "-m", "pip", "--python", str(python), *target)
    return home / "bin"


def test_it_says_its_version_and_foretells_a_step_without_the_checkout(installed: Path) -> None:
    where = "import vramtop.trainer, vramtop.tui; print(*vramtop.__path__)"
    home = installed.parent
    assert Path(_python(installed / "python", "-c", where).strip()).is_relative_to(home)
    command = str(installed / "vramtop")
    assert _python(installed / "python", command, "--version").startswith("vramtop ")
    told = _python(installed / "python", command, "estimate", "--batch-size", "64")
    assert "mnist · adam" in told
    assert "2.51 MiB" in told
