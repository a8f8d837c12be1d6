"""How the command lines of `run`, `attach` and `diff` are parsed; nothing runs."""

from __future__ import annotations

import pytest
from vramtop.protocol.lesson.settings import SettingError
from vramtop.tui.cli.options import parse
from vramtop.tui.cli.program_options import ProgramOptions


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("run python train.py", "python train.py"),
        ("run -- python train.py", "python train.py"),
        ("run --headless python train.py --headless --lr 3", "python train.py --headless --lr 3"),
        ("run --output o.json python -m train --output x", "python -m train --output x"),
        ("run --output=o.json -- sh -c run", "sh -c run"),
        ("run sh -- run -- x", "sh -- run -- x"),
        ("run run", "run"),
        ("run -- -odd", "-odd"),
        ("run torchrun --nproc-per-node 4 --unknown train.py", None),
    ],
)
def test_the_command_is_what_follows_the_options_and_is_not_read(
    line: str, words: str | None
) -> None:
    options = parse(line.split())
    assert isinstance(options, ProgramOptions)
    assert options.way == "run"
    assert " ".join(options.words) == (words or line.removeprefix("run "))


def test_results_in_a_file_are_json_unless_asked_for_otherwise() -> None:
    def form(line: str) -> tuple[str | None, str]:
        options = parse(line.split())
        assert isinstance(options, ProgramOptions)
        return options.output, options.form

    assert form("run x") == (None, "table")
    assert form("run --output o x") == ("o", "json")
    assert form("run --output o --format jsonl x") == ("o", "jsonl")
    assert form("attach 4711 --format json") == (None, "json")
    assert form("attach 4711 --output o --format table") == ("o", "table")


def test_attach_has_a_pid_and_steps_or_lists() -> None:
    assert parse(["attach", "4711", "--headless", "--steps", "3"]) == ProgramOptions(
        way="attach", pid=4711, headless=True, steps=3
    )
    assert parse(["attach"]) == ProgramOptions(way="list")
    assert parse(["attach", "--format", "json"]) == ProgramOptions(way="list", form="json")


def test_diff_has_two_files_and_a_share_that_is_allowed() -> None:
    files = ("a.json", "b.json")
    assert parse(["diff", *files]) == ProgramOptions(way="diff", files=files)
    assert parse(["diff", "--fail-above", "2%", *files, "--format", "json"]) == ProgramOptions(
        way="diff", files=files, fail_above=0.02, form="json"
    )


@pytest.mark.parametrize("share", ["2", "-1%", "nan%", "inf%", "%", "two%"])
def test_a_share_is_in_percent(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse(["diff", "a", "b", f"--fail-above={share}"])
    assert end.value.code == 2
    assert f"a share is like 2%, not {share!r}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run", "run needs a command: vramtop run python train.py"),
        ("run --headless --", "run needs a command"),
        ("run --frobnicate x", "unknown option --frobnicate"),
        ("run --format json x", "--format json needs --output FILE"),
        ("run --format csv x", "format is table, json or jsonl, not 'csv'"),
        ("--seed 1 run x", "run trains nothing itself"),
        ("--headless --steps 3 attach 4711", "attach trains nothing itself"),
        ("--seed 1 diff a b", "diff trains nothing itself"),
        ("diff a b --format jsonl", "format is table or json, not 'jsonl'"),
        ("diff a b c", "c does not belong after diff"),
        ("attach 4711 4712", "4712 does not belong after attach"),
        ("attach --steps 3", "attach without a pid lists programs"),
        ("attach --output o", "attach without a pid lists programs"),
        ("attach 4711 --format csv", "format is table, json or jsonl, not 'csv'"),
    ],
)
def test_what_is_wrong_is_said(line: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        parse(line.split())


@pytest.mark.parametrize("pid", ["0", "many", "-3", "1.5"])
def test_a_pid_is_a_whole_number(pid: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((SystemExit, SettingError)) as end:
        parse(["attach", "--", pid] if pid == "-3" else ["attach", pid])
    if isinstance(end.value, SystemExit):
        assert end.value.code == 2
        assert "pid is a whole number from 1" in capsys.readouterr().err
