"""How the command line is parsed; nothing runs."""

from __future__ import annotations

import pytest
from vramtop.accounting.textbook import Model
from vramtop.protocol.lesson.settings import SettingError, Settings
from vramtop.tui.cli.options import Options, parse
from vramtop.tui.cli.parsers import SWEEP_SIZES, Parser, parsers


def test_without_options_the_monitor_shows_the_lesson() -> None:
    options = parse([])
    assert (options.way, options.settings, options.batch_size) == ("monitor", Settings(), "64")
    assert (options.steps, options.download) == (None, False)


COMMON = [
    ["--dataset", "cifar10"],
    ["--optimizer", "sgd"],
    ["--lr", "0.5"],
    ["--hidden", "7"],
    ["--seed", "7"],
    ["--device", "cpu"],
    ["--vram", "1GiB"],
    ["--data-dir", "here"],
    ["--accumulate", "16"],
    ["--download"],
]


@pytest.mark.parametrize("common", COMMON)
def test_a_common_option_counts_before_and_after_sweep(common: list[str]) -> None:
    assert parse([*common, "sweep"]) == parse(["sweep", *common]) != parse(["sweep"])


def test_the_later_of_two_counts() -> None:
    assert parse(["--seed", "1", "sweep", "--seed", "2"]).settings.seed == 2


def test_sweep_has_sizes_steps_and_a_form_of_its_own() -> None:
    options = parse(["sweep"])
    assert (options.way, options.batch_size, options.form) == ("sweep", SWEEP_SIZES, "table")
    options = parse(["sweep", "--batch-size", "1,2", "--steps", "9", "--format", "csv"])
    assert (options.batch_size, options.steps, options.form) == ("1,2", 9, "csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "7", "sweep"], "--steps belongs after sweep: vramtop sweep --steps 7"),
        (["--batch-size", "128", "sweep"], "vramtop sweep --batch-size 128"),
        (["--format", "json", "sweep"], "vramtop sweep --format json"),
        (["--headless", "sweep"], "--headless does not go with sweep"),
        (["sweep", "--headless"], "--headless does not belong after sweep"),
        (["sweep", "64"], "64 does not belong after sweep"),
        (["--batch-size", "64", "fit"], "fit finds the batch size: it goes without --batch-size"),
        (["fit", "--batch-size", "64"], "--batch-size does not belong after fit"),
        (["--steps", "7", "estimate"], "--steps does not go with estimate"),
        (["--headless", "fit"], "--headless does not go with fit"),
        (["estimate", "--dtype", "bfloat16"], "--dtype goes with --parameters"),
        (["estimate", "--lora", "20M"], "--lora goes with --parameters"),
        (["sweep", "--shards", "8"], "--shards does not belong after sweep"),
        (["estimate", "--parameters", "7B", "--zero", "2"], "--zero goes with --shards"),
        (
            ["estimate", "--parameters", "7B", "--mixed", "master", "--dtype", "float16"],
            "--mixed master says which dtypes there are",
        ),
        (
            ["estimate", "--parameters", "7B", "--mixed", "autocast", "--shards", "8"],
            "--mixed autocast goes with --zero 1 or 2",
        ),
        (["estimate", "--parameters", "9", "--hidden", "3"], "it goes without --hidden"),
        (["estimate", "--parameters", "9", "--batch-size", "3"], "it goes without --batch-size"),
        (["estimate", "--parameters", "9", "--data-dir", "x"], "it goes without --data-dir"),
        (["--steps", "7"], "--steps and --format go with --headless or a command"),
        (["--format", "table"], "--steps and --format go with --headless or a command"),
    ],
)
def test_an_option_in_the_wrong_place_is_refused_with_its_place(
    arguments: list[str], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        parse(arguments)


@pytest.mark.parametrize(
    ("arguments", "close"),
    [
        (["--batchsize", "64"], "--batch-size"),
        (["--batch_size=64"], "--batch-size"),
        (["sweep", "--batch", "64"], "--batch-size"),
        (["-steps", "3"], "--steps"),
        (["--epochs", "3"], "--steps"),
    ],
)
def test_an_unknown_option_is_named_with_the_closest_one(arguments: list[str], close: str) -> None:
    with pytest.raises(SettingError, match=rf"unknown option .*; did you mean {close}\?$"):
        parse(arguments)


def test_an_option_like_no_other_is_answered_with_the_help() -> None:
    with pytest.raises(SettingError, match=r"unknown option --xyzzy; vramtop --help lists"):
        parse(["--xyzzy"])


def test_an_unknown_command_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse(["swep"])
    assert end.value.code == 2
    complaint = capsys.readouterr().err
    assert "invalid choice: 'swep'" in complaint
    assert len(complaint.splitlines()) == 1


def test_an_estimate_of_any_model_says_how_it_is_trained() -> None:
    line = "estimate --parameters 7B --mixed master --lora 20M --shards 8 --zero 2"
    options = parse(line.split())
    assert isinstance(options, Options)
    assert options.model == Model(
        7 * 10**9, mixed="master", adapters=20_000_000, devices=8, stage=2
    )
    line = "estimate --parameters 7B --mixed autocast --shards 8 --zero 2"
    options = parse(line.split())
    assert isinstance(options, Options)
    assert options.model == Model(7 * 10**9, mixed="autocast", devices=8, stage=2)


def test_the_gpus_are_shown_or_printed_once() -> None:
    for line, way, form in (
        ("gpus", "gpus", "table"),
        ("gpus --once", "gpus once", "table"),
        ("gpus --once --format table", "gpus once", "table"),
        ("gpus --format json", "gpus once", "json"),
        ("gpus --once --format json", "gpus once", "json"),
    ):
        options = parse(line.split())
        assert isinstance(options, Options)
        assert (options.way, options.form) == (way, form)


def test_a_tour_is_for_the_screen() -> None:
    assert parse(["--tour", "--batch-size", "16"]).tour
    assert not parse([]).tour
    for arguments in (["--tour", "--headless"], ["--tour", "sweep"], ["--tour", "gpus"]):
        with pytest.raises(SettingError, match=r"--tour|gpus trains nothing"):
            parse(arguments)


def _parser(command: list[str]) -> Parser:
    parser, commands = parsers()
    return commands[command[0]] if command else parser


@pytest.mark.parametrize(
    "command", [[], ["estimate"], ["fit"], ["sweep"], ["gpus"], ["run"], ["attach"], ["diff"]]
)
def test_the_help_fits_80_columns_and_names_every_option(
    command: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as end:
        parse([*command, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert all(option in text for option in _parser(command)._option_string_actions)
