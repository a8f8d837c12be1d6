"""At the import of torch the observer waits until the program works with PyTorch, and no longer."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import piloted
import psutil
import pytest
from piloted import Monitor, Piloted, monitor, until
from vramtop.protocol.observed.record import Observed

if TYPE_CHECKING:
    from simulation import SimulatedGpu

PARAMETER = "torch.nn.Parameter(torch.zeros(1))"
MODULE = "torch.nn.Linear(1, 1)"
COMPLAINTS = "complaints"  # a file
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

    What an expression is worth then stands in a file named after the pid. The child goes on until
    there is a file named `end`, and comes to Python's own end then. It complains in a file.
    """
    pids, complaints = [], tmp_path / COMPLAINTS

    def start(code: str, expression: str = LOADED) -> int:
        script = tmp_path / f"{len(pids)}.py"
        script.write_text(
            "os.setpgid(0, 0)\n"  # it ends with all that it starts
            f"os.dup2(os.open({str(complaints)!r}, os.O_CREAT | os.O_WRONLY), 2)\n"
            f"os.environ['VRAMTOP_SOCKETS'] = {str(folder)!r}\n{code}\n"
            f"open('{tmp_path}/%d.new' % os.getpid(), 'w').write(repr({expression}))\n"
            f"os.rename('{tmp_path}/%d.new' % os.getpid(), '{tmp_path}/%d' % os.getpid())\n"
            "import time\n"
            f"while not os.path.exists('{tmp_path}/end'): time.sleep(0.01)\n"
            "sys.exit()\n"
        )
        with_torch.do(f"pid = os.fork() or exec(open({str(script)!r}).read(), dict(vars()))")
        pids.append(int(with_torch.do("pid")))
        worth, child = tmp_path / str(pids[-1]), psutil.Process(pids[-1])
        until(lambda: worth.exists() or child.status() == psutil.STATUS_ZOMBIE)
        assert worth.exists(), complaints.read_text()
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


def test_nothing_but_the_observer_becomes_importable_and_nothing_stays(
    autoload: Path, folder: Path, tmp_path: Path, with_torch: Piloted, run: Callable[..., int]
) -> None:
    others = ("vramtop", "msgspec", "psutil", "textual")
    pid = run(MODULE, f"[each for each in {others} if each in sys.modules]")
    observed(folder, pid)
    assert (tmp_path / str(pid)).read_text() == "[]"
    assert [path.name for path in autoload.iterdir() if path.suffix == ".py"] == [
        "_vramtop_autoload.py"
    ]
    (tmp_path / "end").touch()
    with_torch.do(f"ended = os.waitid(os.P_PID, {pid}, os.WEXITED | os.WNOWAIT)")
    assert with_torch.do("ended.si_code == os.CLD_EXITED, ended.si_status") == "(True, 0)"
    assert (tmp_path / COMPLAINTS).read_text() == ""
    assert not list(folder.iterdir())


def test_a_compiler_that_is_just_being_imported_is_not_asked(
    worth: Callable[[str, str], str],
) -> None:
    # The first step of an optimizer imports it, while the observer's own thread looks.
    code = """
from _vramtop_observer import private
told = []
class Looks:
    def find_spec(self, *_):
        if "torch._dynamo.eval_frame" in sys.modules:
            told.append((private.compiles(), private.compiled_from(module) is module))
module = torch.nn.Linear(1, 1)
sys.meta_path.insert(0, Looks())
import torch._dynamo
"""
    assert worth(code, "set(told)") == "{(False, True)}"


@pytest.mark.parametrize("broken", ["raise RuntimeError", "this is no Python"])
@pytest.mark.parametrize("part", ["entry", "agent"])
def test_an_observer_that_is_broken_harms_neither_the_import_of_torch_nor_work_with_it(
    autoload: Path, simgpu: SimulatedGpu, tmp_path: Path, part: str, broken: str
) -> None:
    copy = tmp_path / "observer"
    shutil.copytree(autoload.parents[1], copy, symlinks=True)
    file = copy / "program" / f"{part}.py"
    file.unlink()
    file.write_text(broken)
    # The import of torch ends so.
    harmed = simgpu.fork(
        "import sys, torch\n"
        f"sys.path.insert(0, {str(copy / 'program' / 'autoload')!r})\n"
        f"torch._import_device_backends()\n{MODULE}\n"
        "print(*(name for name in sys.modules if name.startswith('_vramtop')))",
        simgpu.environment(devices=1) | {"VRAMTOP_SOCKETS": str(tmp_path)},
    )
    loaded = harmed.end().split()
    assert harmed.errors.read_text() == ""
    assert "_vramtop_observer.program" in loaded
    assert ("_vramtop_observer.program.entry" in loaded) == (part == "agent")
    assert "_vramtop_observer.program.agent" not in loaded


def test_pythons_isolated_mode_knows_nothing_of_it(autoload: Path) -> None:
    # What torch looks for at the end of its import.
    backends = "[each.name for each in entry_points(group='torch.backends')]"
    for options, found in (((), "True"), (("-I",), "False")):
        program = Piloted(*options, PYTHONPATH=str(autoload))
        program.do("from importlib.metadata import entry_points")
        assert program.do(f"'vramtop' in {backends}") == found


def test_it_can_be_read_by_a_python_that_is_too_old(autoload: Path) -> None:
    ast.parse((autoload / "_vramtop_autoload.py").read_text(), feature_version=(3, 7))
    for old in sorted(Path.home().glob(".pyenv/versions/3.[6-9].*/bin/python")):
        code = "import _vramtop_autoload; _vramtop_autoload.at_import()"
        done = subprocess.run(
            [str(old), "-c", code],
            check=False, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(autoload)},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
