"""The tab key in real shells completes the beginnings of words.

A function of the shell stands in for the command, and prints what it is called with.
"""

import shutil
import subprocess

import pexpect
import pytest
from command import VRAMTOP, complaint

TIMEOUT_SECONDS = 60
_FUNCTION = 'vramtop() { echo "got:" "$@" ":end"; }'
# How each starts without the user's files, and what is typed first.
SHELLS = {
    "bash": (["--norc", "--noprofile", "-i"], (_FUNCTION, 'eval "$(cat completion)"')),
    "zsh": (
        ["-f", "-i"],
        ("autoload -U compinit && compinit -u -D", _FUNCTION, 'eval "$(cat completion)"'),
    ),
    "fish": (
        ["--no-config", "-i"],
        ('function vramtop; echo "got:" $argv ":end"; end', "source completion"),
    ),
}


@pytest.fixture(scope="module", params=SHELLS)
def completion(request):
    """A shell's name and path, and what the command prints for it."""
    name = request.param
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"no {name} on this machine")
    made = subprocess.run(
        [VRAMTOP, "--print-completion", name],
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_SECONDS,
    )
    return name, path, made.stdout


@pytest.fixture
def shell(completion, tmp_path):
    """A shell that has read the completion, in a folder that holds `pictures/` and a file."""
    name, path, printed = completion
    (tmp_path / "completion").write_text(printed)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "picture.txt").touch()
    arguments, first = SHELLS[name]
    home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    child = pexpect.spawn(
        path,
        arguments,
        cwd=str(tmp_path),
        env=home,
        timeout=TIMEOUT_SECONDS,
        dimensions=(40, 200),
        encoding="utf-8",
    )
    for line in (*first, "echo re''ady"):
        child.sendline(line)
    child.expect("ready\r")
    yield child
    child.close(force=True)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("gp\t", "gpus"),
        ("gpus --he\t", "gpus --help"),
        ("--batch\t 64", "--batch-size 64"),
        ("--dataset ci\t", "--dataset cifar10"),
        ("--optim\tmom\t", "--optimizer momentum"),
        ("--device cp\t", "--device cpu"),
        ("--headless --format jso\t", "--headless --format jsonl"),
        ("--data-dir pic\t", "--data-dir pictures"),
        ("--print-completion fi\t", "--print-completion fish"),
        ("swe\t--format cs\t", "sweep --format csv"),
        ("att\t --format jsonl --outp\tpicture.\t", "attach --format jsonl --output picture.txt"),
        ("ru\t--headl\tpicture.\t", "run --headless picture.txt"),
    ],
)
def test_tab_completes_names_choices_and_folders(shell, typed, completed):
    shell.send(f"vramtop {typed}\n")
    shell.expect(r"got: (.*?) +:end\r")
    # zsh takes a folder's slash back where nothing follows it.
    assert " ".join(shell.match[1].split()).rstrip("/") == completed


def test_an_unknown_shell_is_refused_with_those_known():
    assert "bash" in complaint("--print-completion", "csh")
