"""At the import of torch the observer waits until the program works with PyTorch, and no longer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import piloted
import pytest
from piloted import Monitor, Piloted, monitor, until
from vramtop.protocol.observed.record import Observed

if TYPE_CHECKING:
    from simulation import SimulatedGpu

PARAMETER = "torch.nn.Parameter(torch.zeros(1))"
MODULE = "torch.nn.Linear(1, 1)"
LOADED = "'_vramtop_observer.program.agent' in sys.modules"


@pytest.fixture(scope="module")
def with_torch(autoload: Path, simgpu: SimulatedGpu) -> Iterator[Piloted]:
    """A program that has imported torch, with our folder in front; others are forked of it."""
    machine = simgpu.environment(devices=1)
    program = Piloted(**{**os.environ, **machine, "PYTHONPATH": str(autoload)})
    piloted.opened.remove(program)
    program.do("import os, sys, torch")
    yield program
    program.close()


@pytest.fixture
def run(with_torch: Piloted, folder: Path, tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Runs Python in a child where torch is imported; returns its pid once the code has run.

    What an expression is worth then stands in a file named after the pid.
    """
    pids = []

    def start(code: str, expression: str = LOADED) -> int:
        script = tmp_path / f"{len(pids)}.py"
        script.write_text(
            "os.setpgid(0, 0)\n"  # it ends with all that it starts
            f"os.environ['VRAMTOP_SOCKETS'] = {str(folder)!r}\n{code}\n"
            f"open('{tmp_path}/%d.new' % os.getpid(), 'w').write(repr({expression}))\n"
            f"os.rename('{tmp_path}/%d.new' % os.getpid(), '{tmp_path}/%d' % os.getpid())\n"
            "__import__('time').sleep(99)\n"
        )
        with_torch.do(f"pid = os.fork() or exec(open({str(script)!r}).read(), dict(vars()))")
        pids.append(int(with_torch.do("pid")))
        until((tmp_path / str(pids[-1])).exists)
        return pids[-1]

    yield start
    for pid in pids:
        with_torch.do(f"os.killpg({pid}, 9); os.waitpid({pid}, 0)")


def observed(folder: Path, pid: int) -> Monitor:
    looking = monitor(folder / f"{pid}.sock")
    greeting = looking.read()
    assert isinstance(greeting, Observed)
    assert (greeting.pid, greeting.since_start) == (pid, True)
    return looking


@pytest.fixture
def worth(run: Callable[..., int], tmp_path: Path) -> Callable[[str, str], str]:
    """What an expression is worth in a program that has done this."""
    return lambda code, expression: (tmp_path / str(run(code, expression))).read_text()


@pytest.fixture
def is_observed(worth: Callable[[str, str], str]) -> Callable[[str], bool]:
    """Whether a program that does this is observed, by what it has loaded."""
    return lambda code: worth(code, LOADED) == "True"


@pytest.mark.parametrize(
    "work",
    [
        MODULE,
        "torch.zeros(1, device='cuda')",
        f"p = {PARAMETER}; p.grad = p.detach(); torch.optim.SGD([p]).step()",
    ],
)
def test_the_first_work_with_pytorch_begins_it_and_leaves_no_hook(
    run: Callable[..., int], folder: Path, tmp_path: Path, work: str
) -> None:
    hooks = "module._global_parameter_registration_hooks, optimizer._global_optimizer_pre_hooks"
    imported = "from torch.nn.modules import module; from torch.optim import optimizer"
    pid = run(f"{work}\n{imported}", f"[len(each) for each in ({hooks})]")
    assert observed(folder, pid)
    assert (tmp_path / str(pid)).read_text() == "[0, 0]"


def test_the_start_of_cuda_is_told_whatever_came_before(worth: Callable[[str, str], str]) -> None:
    for before in (MODULE, ""):
        started = f"{before}\ntorch.zeros(1, device='cuda')"
        assert worth(started, "sys.agent.cuda_started") == "True"


@pytest.mark.parametrize("work", ["", "torch.ones(9).sum()", "import torch.distributed.run"])
def test_a_process_that_trains_nothing_is_left_alone(
    is_observed: Callable[[str], bool], work: str
) -> None:
    assert not is_observed(work)
    assert is_observed(MODULE)


def test_workers_that_load_data_are_left_alone(run: Callable[..., int], folder: Path) -> None:
    pid = run(
        "class Data(torch.utils.data.Dataset):\n"
        "    def __len__(self): return 4\n"
        f"    def __getitem__(self, at): {MODULE}; return os.getpid()\n"
        f"{MODULE}\n"
        "loader = torch.utils.data.DataLoader(Data(), num_workers=2, persistent_workers=True)\n"
        "rows = iter(loader); assert int(next(rows)) != os.getpid()"
    )
    observed(folder, pid)
    assert [path.name for path in folder.iterdir()] == [f"{pid}.sock"]


def test_a_forked_rank_is_observed_for_itself(run: Callable[..., int], folder: Path) -> None:
    pid = run(
        f"{MODULE}\n"
        "import multiprocessing\n"
        f"def rank(): {MODULE}; __import__('time').sleep(99)\n"
        "other = multiprocessing.get_context('fork').Process(target=rank); other.start()\n"
    )
    assert observed(folder, pid)
    until(lambda: len(list(folder.iterdir())) == 2)
    (other,) = (int(path.stem) for path in folder.iterdir() if path.stem != str(pid))
    assert observed(folder, other)


def test_nothing_of_it_is_compiled_and_nothing_recompiles(
    is_observed: Callable[[str], bool],
) -> None:
    assert is_observed(
        "from torch._dynamo.utils import counters\n"
        "def step(model, x): return model(x).sum()\n"
        "compiled = torch.compile(step, backend='eager')\n"
        "model = torch.nn.Linear(2, 2)\n"
        "for _ in range(3): compiled(model, torch.ones(1, 2))\n"
        "assert counters['stats']['unique_graphs'] == 1, counters\n"
        "assert not counters['graph_break'], counters",
    )


def test_a_hook_that_came_later_stays(worth: Callable[[str, str], str]) -> None:
    code = (
        "from torch.nn.modules.module import register_module_parameter_registration_hook as add\n"
        "seen = []\n"
        "add(lambda module, name, parameter: seen.append(name))\n"
        f"{MODULE}\n"
    )
    assert worth(code, "seen") == "['weight', 'bias']"


# ---- from the command line ----------------------------------------------------------------------


def program(autoload: Path, folder: Path, *command: str, **more: str) -> Piloted:
    environment = {**os.environ, "PYTHONPATH": str(autoload), "VRAMTOP_SOCKETS": str(folder)}
    return Piloted(*command, **{**environment, **more})


def test_nothing_but_the_observer_becomes_importable(autoload: Path, folder: Path) -> None:
    alone = program(autoload, folder)
    alone.do("import sys, torch", MODULE)
    observed(folder, alone.pid)
    ours = "sorted(name for name in sys.modules if 'vramtop' in name)"
    assert "'vramtop'" not in alone.do(ours)
    for each in ("msgspec", "psutil", "textual"):
        assert alone.do(f"{each!r} in sys.modules") == "False"
    assert [path.name for path in autoload.iterdir() if path.suffix == ".py"] == [
        "_vramtop_autoload.py"
    ]
    assert alone.end() == (0, "")
    assert not list(folder.iterdir())


@pytest.mark.parametrize("broken", ["raise RuntimeError", "this is no Python"])
def test_an_observer_that_is_broken_does_not_harm_the_import_of_torch(
    autoload: Path, folder: Path, tmp_path: Path, broken: str
) -> None:
    copy = tmp_path / "observer"
    subprocess.run(["cp", "-r", str(autoload.parents[1]), str(copy)], check=True)
    agent = copy / "program" / "agent.py"
    agent.unlink()
    agent.write_text(broken)
    harmed = program(copy / "program" / "autoload", folder)
    harmed.do("import torch", MODULE)
    assert harmed.end() == (0, "")


def test_pythons_isolated_mode_knows_nothing_of_it(autoload: Path, folder: Path) -> None:
    isolated = program(autoload, folder, "-I")
    isolated.do("import sys, torch", MODULE)
    assert isolated.do("[name for name in sys.modules if name.startswith('_vramtop')]") == "[]"
    assert isolated.end() == (0, "")


def test_it_can_be_read_by_a_python_that_is_too_old(autoload: Path) -> None:
    for old in sorted(Path.home().glob(".pyenv/versions/3.[6-9].*/bin/python")):
        code = "import sys; import _vramtop_autoload; _vramtop_autoload.at_import()"
        done = subprocess.run(
            [str(old), "-c", code],
            check=False, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(autoload)},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
    assert sys.version_info >= (3, 10)
