"""The installed command, run as a user runs it."""

import json
import os

import pytest
from command import all_ends, assert_refused, complaint, vramtop
from recorded_monitor import PROGRAM

P = 407_080
PEAK = P * 4 + 16 + 3_184 * 64 + 4 + 2 * 401_408  # of a settled step


BAD = [
    (["--batch-size", "0"], "1 to 6,000, not 0"),
    (["--batch-size", "1,2"], "1 to 6,000, not '1,2'"),
    (["--batch-size", "many"], "whole number"),
    (["--batch-size", "6001", "--headless"], "1 to 6,000"),
    (["--lr", "-1"], "learning rate is a number above 0"),
    (["--lr", "nan"], "learning rate is a number above 0"),
    (["--hidden", "0"], "1 to 65,536"),
    (["--accumulate", "0"], "accumulation is a whole number from 1 to 256, not 0"),
    (["--accumulate", "94", "--headless"], "1 to 93 where batches are 64 of 6,000 images"),
    (["--seed", "1.5"], "seed is a whole number"),
    (["--vram", "lots"], "like 24MiB"),
    (["--vram", "100KiB", "--headless"], "does not hold the model"),
    (["--device", "tpu"], "auto, cpu, mps, cuda"),
    (["--dataset", "imagenet"], "mnist"),
    (["--optimizer", "lion"], "adamw"),
    (["--data-dir", "nowhere", "--headless"], "does not exist"),
    (["--steps", "0", "--headless"], "steps is a whole number"),
    (["--steps", "5"], "--headless"),
    (["--format", "xml", "--headless"], "jsonl"),
    (["--data-dir", "two\nlines", "--headless"], "data directory two lines does not exist"),
    (["--data-dir", "", "--headless"], "use . for the current one"),
    (["sweep", "--batch-size", "64,,128"], "whole number"),
    (["sweep", "--batch-size", "1,024"], "write 1024 or 1_024"),
    (["sweep", "--format", "xml"], "table, json or csv, not 'xml'"),
    (["--steps", "7", "sweep"], "--steps belongs after sweep: vramtop sweep --steps 7"),
    (["--batchsize", "64"], "unknown option --batchsize; did you mean --batch-size?"),
    (["--frobnicate"], "unknown option --frobnicate"),
    (["--headless", "gpus"], "gpus trains nothing"),
    (["--seed", "0", "gpus"], "gpus trains nothing"),
    (["gpus", "--seed", "0"], "--seed does not belong after gpus"),
    (["gpus", "sweep"], "sweep does not belong after gpus"),
    (["gpus"], "needs a terminal; without one use --once"),
    (["gpus", "--format", "table"], "--format table goes with --once"),
    (["gpus", "--format", "csv"], "format is table or json, not 'csv'"),
    (["gpus", "--once", "--batch-size", "4"], "--batch-size does not belong after gpus"),
    (["--once"], "--once does not belong after vramtop"),
    (["--no-train"], "--no-train is now a command: vramtop gpus"),
    (["sweep", "--no-train"], "--no-train is now a command: vramtop gpus"),
    ([], "needs a terminal"),
]


@pytest.fixture(scope="module")
def ends():
    """How each of the command lines with bad input ends."""
    return all_ends([arguments for arguments, _ in BAD])


@pytest.mark.parametrize("place", range(len(BAD)), ids=[" ".join(line) for line, _ in BAD])
def test_bad_input_gets_one_line_and_exit_code_2(ends, place):
    assert_refused(ends[place], BAD[place][1])


def test_headless_lines_are_messages_as_json():
    result = vramtop("--headless", "--steps", "120", "--format", "jsonl", "--device", "cpu")
    assert (result.returncode, result.stderr) == (0, "")
    messages = [json.loads(line) for line in result.stdout.splitlines()]
    kinds = [message["type"] for message in messages]
    assert kinds[0] == "hello"
    assert kinds[-1] == "ended"
    assert kinds.count("sample") == 120
    measured = next(message for message in messages if message["type"] == "measured")
    assert measured["anatomy"]["high_water"]["parameters"] == P
    settled = next(each for each in messages if each["type"] == "measured" and each["settled"])
    assert settled["anatomy"]["high_water"]["optimizer_state"] == 2 * P + 16
    assert settled["anatomy"]["peak"]["bytes"] == PEAK
    noise = next(message for message in messages if message["type"] == "noise")
    assert noise["step"] >= 47  # after half an epoch
    assert noise["noise"] > 0
    assert noise["peak"]["batch_data"] == 64 * (3_136 + 8)


def test_headless_table_shows_the_measured_bytes_beside_the_formula():
    """Measured by the worker of a recorded session."""
    result = vramtop("--headless", "--steps", "5", "--device", "cpu", program=PROGRAM)
    assert (result.returncode, result.stderr) == (0, "")
    assert "Optimizer state" in result.stdout
    assert f"{2 * P + 16:,}" in result.stdout
    assert f"Peak {PEAK:,} B in optimizer" in result.stdout


def test_a_download_is_not_begun_for_what_cannot_work(tmp_path):
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    too_large = ("--download", "--headless", "--batch-size", "60001")
    assert "from 1 to 60,000" in complaint(*too_large, env=environment)
    assert "needs a terminal" in complaint("--download", env=environment)
    assert list(tmp_path.iterdir()) == []


def test_help_and_version_need_no_torch(tmp_path):
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    assert "--batch-size" in vramtop("--help", env=environment).stdout
    assert vramtop("--version", env=environment).stdout.startswith("vramtop 0.1")


def test_a_run_that_is_out_of_memory_says_so_and_fails():
    budget = ("--vram", "6MiB", "--batch-size", "4096")
    result = vramtop("--headless", *budget, "--steps", "3", "--device", "cpu")
    assert result.returncode == 1
    assert (
        "vramtop: batch 4,096 is out of memory in load: at least 12.7 MiB of 6.00 MiB"
        in result.stderr
    )
