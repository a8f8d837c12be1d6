"""The wheel that users install: what is in it, and that it runs without the checkout."""

from __future__ import annotations

import re
import sys
import tempfile
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING

import environments
import pytest
from environments import PACKAGES, ROOT
from packaging.requirements import Requirement
from terminal import Terminal

if TYPE_CHECKING:
    from simulation import SimulatedGpu

_ADVICE = "pip install 'vramtop-lab[trainer]'; without it work vramtop gpus, run and attach"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environments.build_wheel(tmp_path_factory.mktemp("wheel"))


def test_all_that_is_needed_is_in_it_and_nothing_else(wheel: Path) -> None:
    kinds = (".py", ".tcss", ".typed")
    wanted = {
        f"vramtop/{path.relative_to(ROOT).as_posix()}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and (path.suffix in kinds or path.name == "py.typed")
    }
    wanted |= {
        f"vramtop/{path.relative_to(ROOT).as_posix()}"
        for folder in ("trainer/sample", "observer/program/autoload/vramtop_autoload-1.dist-info")
        for path in (ROOT / folder).iterdir()
    }
    held = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    about = {name for name in held if name.split("/")[0].endswith(".dist-info")}
    assert held - about == wanted
    assert {name.partition("/licenses/")[2] for name in about} > {
        "LICENSE",
        "trainer/sample/LICENSE",
    }


# ---- with PyTorch -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment that has all packages that are installed here."""
    commands = environments.create(tmp_path_factory.mktemp("whole"))
    # Not by `addsitedir`, which would bring the checkout in too.
    here = [folder for folder in sys.path if Path(folder).name == "site-packages"]
    (environments.site_packages(commands) / "beside.pth").write_text("\n".join(here) + "\n")
    environments.install(commands, wheel)
    return commands


def test_it_says_its_version_and_predicts_a_step_without_the_checkout(whole: Path) -> None:
    where = "import vramtop.trainer, vramtop.tui; print(*vramtop.__path__)"
    python, command = whole / "python", str(whole / "vramtop")
    assert Path(environments.output(python, "-c", where).strip()).is_relative_to(whole.parent)
    assert environments.output(python, command, "--version").startswith("vramtop ")
    printed = environments.output(python, command, "estimate", "--batch-size", "64")
    assert "mnist · adam" in printed
    assert "2.51 MiB" in printed


# ---- without PyTorch ----------------------------------------------------------------------------


def _requirements(wheel: Path) -> list[str]:
    """What the wheel itself says that it needs."""
    archive = zipfile.ZipFile(wheel)
    # The observer's folder, deeper down, holds metadata of its own.
    (name,) = (
        name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)
    )
    return message_from_bytes(archive.read(name)).get_all("Requires-Dist", [])


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment with the base dependencies alone."""
    commands = environments.create(tmp_path_factory.mktemp("base"))
    environments.link(commands, environments.needed(_requirements(wheel)).values())
    environments.install(commands, wheel)
    return commands


def test_pytorch_comes_with_the_extra_named_trainer_alone(wheel: Path, base: Path) -> None:
    requirements = _requirements(wheel)
    extra = {
        requirement.name
        for requirement in map(Requirement, requirements)
        if requirement.marker and requirement.marker.evaluate({"extra": "trainer"})
    }
    assert extra == {"torch", "torchvision"}
    assert environments.needed(requirements, ["trainer"]).keys() > extra
    assert not environments.needed(requirements).keys() & {*extra, "numpy"}
    find = "import importlib.util as u; print(*map(u.find_spec, ('torch', 'torchvision', 'numpy')))"
    assert environments.output(base / "python", "-c", find) == "None None None\n"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("--help",), "vramtop gpus"),
        (("fit", "--help"), "vramtop fit"),
        (("--version",), "vramtop "),
        (("--print-completion", "bash"), "--batch-size"),
        (("--print-completion", "zsh"), "--batch-size"),
        (("--print-completion", "fish"), "batch-size"),
        (("estimate", "--parameters", "1e8"), "1,600.0 MB"),
    ],
)
def test_without_pytorch_what_only_prints_works(
    base: Path, arguments: tuple[str, ...], shown: str
) -> None:
    assert shown in environments.output(base / "python", str(base / "vramtop"), *arguments)


def test_without_pytorch_a_program_of_an_environment_without_ours_is_watched(
    base: Path, tmp_path: Path
) -> None:
    python = environments.with_pytorch_alone(tmp_path / "bare")
    script = tmp_path / "train.py"
    script.write_text(
        "import sys, torch\n"
        "model = torch.nn.Linear(10, 10)\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "for _ in range(3):\n"
        "    model(torch.ones(2, 10)).sum().backward(); optimizer.step(); optimizer.zero_grad()\n"
        "assert not {'msgspec', 'psutil', 'vramtop'} & set(sys.modules)\n"
        "print('trained')\n"
    )
    with tempfile.TemporaryDirectory(prefix="vt", dir="/tmp") as folder:
        done = environments.run(
            base / "python", str(base / "vramtop"), "run", "--headless",
            str(python), str(script), VRAMTOP_SOCKETS=f"{folder}/s",
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "trained\n")
    assert "Parameters               440" in done.stderr


def test_without_pytorch_the_gpus_are_shown(base: Path, simgpu: SimulatedGpu) -> None:
    machine = simgpu.environment(devices=2)
    terminal = Terminal(80, 24, "gpus", program=str(base / "vramtop"), environment=machine)
    terminal.wait_for(r"1 Simulated X100-1 +37%")
    terminal.child.send("?")
    terminal.wait_for("choose a GPU")
    terminal.quit("qq")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((), "training"),
        (("--tour",), "training"),
        (("--headless",), "training"),
        (("--headless", "--download"), "training"),
        (("fit",), "fit"),
        (("sweep", "--format", "json"), "sweep"),
        (("estimate",), "estimate"),
    ],
)
def test_without_pytorch_what_needs_it_says_so_in_one_line(
    base: Path, arguments: tuple[str, ...], what: str
) -> None:
    done = environments.run(base / "python", str(base / "vramtop"), *arguments)
    line = f"vramtop: {what} needs PyTorch and torchvision: {_ADVICE}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        (("torch/__init__.py",), "torchvision"),
        (("torchvision/__init__.py",), "PyTorch"),
        # As an uninstallation leaves them that does not remove what was made later.
        (("torch/left.txt", "torchvision/__init__.py"), "PyTorch"),
    ],
)
def test_where_one_of_the_two_is_there_the_other_is_named(
    base: Path, tmp_path: Path, files: tuple[str, ...], missing: str
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("raise SystemExit('imported')")
    command = (str(base / "vramtop"), "--headless")
    done = environments.run(base / "python", *command, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"vramtop: training needs {missing}: {_ADVICE}\n"
