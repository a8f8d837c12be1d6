"""The installed command, run to its end as a user runs it."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

VRAMTOP = str(Path(sys.executable).with_name("vramtop"))
TIMEOUT_SECONDS = 120
# A child of a process that has imported what all need, for each command line; its streams are files
# in a folder, named after its place.
_EACH = """
import json, os, sys
from vramtop.tui.cli import main as cli, options
from vramtop.protocol.lesson import checks
from vramtop.trainer.data import sources
from vramtop.tui.terminal import output
for place, arguments in enumerate(json.loads(sys.argv[2])):
    if not (child := os.fork()):
        for number in (1, 2):
            flags = os.O_CREAT | os.O_WRONLY
            os.dup2(os.open(os.path.join(sys.argv[1], f"{place}.{number}"), flags), number)
        sys.exit(cli.main(arguments))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def vramtop(*arguments, program=(VRAMTOP,), **options):
    """Run the command, or another program; returns its output and its exit code."""
    return subprocess.run(
        [*program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
        stdin=subprocess.DEVNULL,
        **options,
    )


def complaint(*arguments, **options):
    """The single line that the command prints about bad usage."""
    result = vramtop(*arguments, **options)
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def all_ends(lines):
    """For each of these command lines its exit code and what it prints to stdout and to stderr.

    They run in children of one process, which takes less time than a process each.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", _EACH, folder, json.dumps(lines)],
            capture_output=True,
            text=True,
            check=True,
            timeout=TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        codes = [int(code) for code in done.stdout.split()]
        assert len(codes) == len(lines)
        streams = [
            [Path(folder, f"{at}.{n}").read_text() for n in (1, 2)] for at in range(len(codes))
        ]
    return [(code, *texts) for code, texts in zip(codes, streams, strict=True)]


def assert_refused(end, says):
    """One of these ends is that of bad input: a line on stderr that says so, and exit code 2."""
    code, printed, complained = end
    assert (code, printed, len(complained.splitlines())) == (2, "", 1)
    assert says in complained
