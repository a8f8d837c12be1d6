"""Results that cannot be written or that nobody reads, and workers that end too early."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest
from command import TIMEOUT_SECONDS, VRAMTOP
from recorded_monitor import PROGRAM
from terminal import recorded

RECORDED = shlex.join(PROGRAM)
STEPS = ("--steps", "3", "--device", "cpu")
FORMS = (
    ("--headless",),
    ("--headless", "--format", "jsonl"),
    ("sweep", "--batch-size", "8", "--format", "csv"),
)


def all_at_once(forms, stdout):
    """Exit code and complaint of the command in each form; together they take less time."""
    processes = [
        subprocess.Popen(
            [*PROGRAM, *form, *STEPS],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        for form in forms
    ]
    ends = []
    for process in processes:
        _, complaint = process.communicate(timeout=TIMEOUT_SECONDS)
        ends.append((process.returncode, complaint))
    return ends


def shell(command, program=VRAMTOP, **options):
    return subprocess.run(
        ["sh", "-c", f"{program} {command}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
        stdin=subprocess.DEVNULL,
        **options,
    )


def test_a_pipe_that_nobody_reads_is_quiet_and_no_failure_in_any_form():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert all_at_once(FORMS, writing) == [(0, "")] * len(FORMS)
    finally:
        os.close(writing)


def test_a_reader_that_has_seen_enough_ends_an_endless_training():
    with subprocess.Popen(
        [*PROGRAM, "--headless", "--format", "jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert json.loads(process.stdout.readline())["type"] == "hello"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(TIMEOUT_SECONDS) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_disk_is_reported_in_one_line():
    with Path("/dev/full").open("w") as full:
        ends = all_at_once(FORMS, full)
    assert ends == [(1, "vramtop: cannot write: No space left on device\n")] * 3
    result = shell("--help >/dev/full")
    assert (result.returncode, result.stderr) == ends[0]


@pytest.mark.parametrize("form", ["--headless", "sweep"])
def test_a_closed_stdout_is_reported_before_anything_is_trained(form):
    result = shell(f"{form} >&-")
    assert (result.returncode, result.stderr) == (1, "vramtop: cannot write: stdout is closed\n")


def test_with_stderr_closed_results_stay_clean_and_the_exit_code_tells():
    refused = shell("--batch-size 0 2>&-")
    assert (refused.returncode, refused.stdout) == (2, "")
    result = shell(f"--headless --format jsonl {' '.join(STEPS)} <&- 2>&-", RECORDED)
    assert result.returncode == 0
    assert json.loads(result.stdout.splitlines()[-1])["type"] == "ended"


def test_the_monitor_without_any_stream_says_that_it_needs_a_terminal():
    result = shell("<&- >&-")
    assert (result.returncode, result.stdout) == (2, "")
    assert "needs a terminal" in result.stderr


@pytest.mark.parametrize("form", ["--headless", "sweep"])
def test_a_worker_that_ends_before_its_training_is_a_failure_whatever_it_says(form, tmp_path):
    (tmp_path / "torch.py").write_text("import os\nos._exit(0)")
    result = shell(form, env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "vramtop: the worker ended before its training did\n"


def test_what_was_measured_is_printed_though_the_worker_was_killed():
    terminal = recorded(80, 50, "--headless", "--device", "cpu")
    terminal.wait_for(r"[1-9][0-9]/\?")  # steps
    terminal.worker().kill()
    assert terminal.ended() == 1
    assert "vramtop: the worker was killed (SIGKILL)" in terminal.text()
    assert "Peak 2,634,932 B in optimizer" in terminal.text()
    assert "…" not in terminal.text()
