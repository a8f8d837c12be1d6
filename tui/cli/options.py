"""The command line as one value, and the messages about what is wrong in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Literal

import msgspec
from vramtop.accounting.textbook import Model
from vramtop.protocol.lesson.settings import SettingError, Settings
from vramtop.tui.worker.sweep_plan import Scale

from .parsers import SWEEP_SIZES, parsers
from .program_options import COMMANDS, ProgramOptions, program_options, split

_NOT_WITH_PARAMETERS = {
    "batch_sizes": "--batch-size",
    "accumulation": "--accumulate",
    "hidden": "--hidden",
    "dataset": "--dataset",
    "data_dir": "--data-dir",
    "download": "--download",
    "optimizer": "--optimizer",
}
_WITH_PARAMETERS = ("dtype", "mixed", "lora", "shards", "zero")
_OF_GPUS = {"command", "once", "gpus_format"}
_OPTION = re.compile(r"--?[a-zA-Z][^=\s]*")


Way = Literal["monitor", "gpus", "gpus once", "headless", "estimate", "fit", "sweep"]


class Options(msgspec.Struct, frozen=True):
    """What the command line asks for.

    `batch_size` is still text, with one size or several, since the data sets its limit. `steps` and
    `images` are None where they were not given. `model` is None unless an estimate is by the
    formula alone.
    """

    way: Way
    settings: Settings
    batch_size: str
    steps: int | None
    form: str
    download: bool
    tour: bool = False
    model: Model | None = None
    images: int | None = None
    scale: Scale = "none"
    repeats: int = 1
    plot: str | None = None


def parse(arguments: Sequence[str]) -> Options | ProgramOptions:
    """Read the command line.

    Raises `SettingError` with one line for an option that is unknown or in the wrong place. Raises
    `SystemExit` after `--help`, `--version` and an error that argparse itself has reported.
    """
    parser, commands = parsers()
    arguments, words = split(arguments, parser, commands["run"])
    known = (name for each in (parser, *commands.values()) for name in each._option_string_actions)
    _check_names(arguments, {*known})
    namespace, extra = parser.parse_known_args(arguments)
    given = vars(namespace)
    if extra:
        raise SettingError(f"{extra[0]} does not belong after {given.get('command', 'vramtop')}")
    if given.get("command") in COMMANDS:
        return program_options(given, words)
    settings = Settings(
        **{field: given[field] for field in Settings.__struct_fields__ if field in given}
    )
    download = "download" in given
    if given.get("command") == "gpus":
        if given.keys() - _OF_GPUS:
            raise SettingError("gpus trains nothing: it goes with --once and --format alone")
        form = _form(given.get("gpus_format"), ("table", "json"))
        if form == "table" and "gpus_format" in given and "once" not in given:
            raise SettingError("--format table goes with --once; without it there is the screen")
        way: Way = "gpus once" if "once" in given or form == "json" else "gpus"
        return Options(way, settings, "64", None, form, download)
    if "command" in given:
        _check_place(given)
        return Options(
            given["command"],
            settings,
            given.get("batch_sizes", SWEEP_SIZES if given["command"] != "fit" else "1"),
            given.get("sweep_steps"),
            _form(given.get("command_format"), ("table", "json", "csv")),
            download,
            model=_model(given),
            images=given.get("images"),
            scale=given.get("scale", "none"),
            repeats=given.get("repeats", 1),
            plot=given.get("plot"),
        )
    form = _form(given.get("headless_format"), ("table", "jsonl"))
    steps = given.get("headless_steps")
    if "headless" not in given and (steps or "headless_format" in given):
        raise SettingError("--steps and --format go with --headless or a command")
    tour = "tour" in given
    if tour and "headless" in given:
        raise SettingError("--tour is shown on the screen: it goes without --headless")
    way = "headless" if "headless" in given else "monitor"
    return Options(way, settings, given.get("one_batch_size", "64"), steps, form, download, tour)


def _check_names(arguments: Sequence[str], known: set[str]) -> None:
    """Raise `SettingError` at an option that does not exist.

    argparse would take the value after it for a command, and report that instead.
    """
    for argument in arguments:
        if argument == "--":
            return
        name = _OPTION.match(argument)
        if name and name[0] == "--no-train":
            raise SettingError("--no-train is now a command: vramtop gpus")
        if name and name[0] not in known:
            close = get_close_matches(name[0], sorted(known), 1)
            hint = f"; did you mean {close[0]}?" if close else "; vramtop --help lists them all"
            raise SettingError(f"unknown option {name[0]}{hint}")


def _check_place(given: dict[str, Any]) -> None:
    """Raise `SettingError` at an option that the command does not take or that belongs after it."""
    command = given["command"]
    for name in ("headless", "tour"):
        if name in given:
            raise SettingError(f"--{name} does not go with {command}, which has no screen")
    if command == "fit" and "one_batch_size" in given:
        raise SettingError("fit finds the batch size: it goes without --batch-size")
    if command != "sweep" and "headless_steps" in given:
        raise SettingError(f"--steps does not go with {command}")
    for name, option in (
        ("one_batch_size", "--batch-size"),
        ("headless_steps", "--steps"),
        ("headless_format", "--format"),
    ):
        if name in given:
            raise SettingError(
                f"{option} belongs after {command}: vramtop {command} {option} {given[name]}"
            )
    if "images" in given and "sweep_steps" in given:
        raise SettingError("each size ends after so many --images or so many --steps: give one")


def _model(given: dict[str, Any]) -> Model | None:
    """The model of an estimate by the formula alone. Raises `SettingError`."""
    if "parameters" not in given:
        for name in _WITH_PARAMETERS:
            if name in given:
                raise SettingError(f"--{name} goes with --parameters, which is any model")
        return None
    # The formula needs only the number of parameters and the optimizer's floats for each.
    wrong = [option for name, option in _NOT_WITH_PARAMETERS.items() if name in given]
    if wrong:
        raise SettingError(f"--parameters is any model: it goes without {wrong[0]}")
    mixed, shards, stage = given.get("mixed"), given.get("shards", 1), given.get("zero", 3)
    if mixed is not None and "dtype" in given:
        raise SettingError(f"--mixed {mixed} says which dtypes there are: it goes without --dtype")
    if "zero" in given and shards == 1:
        raise SettingError("--zero goes with --shards, the number of devices")
    if mixed == "autocast" and shards > 1 and stage == 3:
        raise SettingError("--mixed autocast goes with --zero 1 or 2: FSDP casts its own shards")
    return Model(
        given["parameters"],
        given.get("dtype", "float32"),
        mixed,
        adapters=given.get("lora"),
        devices=shards,
        stage=stage,
    )


def _form(form: str | None, forms: tuple[str, ...]) -> str:
    if form is not None and form not in forms:
        raise SettingError(f"format is {', '.join(forms[:-1])} or {forms[-1]}, not {form!r}")
    return form or "table"
