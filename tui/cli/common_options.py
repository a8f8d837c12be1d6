"""The options that may stand before a command, after it, or without one."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from vramtop.protocol.lesson import settings as limits
from vramtop.protocol.lesson.settings import DATASETS, OPTIMIZERS, SettingError

_Value = TypeVar("_Value")
Group: TypeAlias = argparse._ArgumentGroup


def value(
    group: Group,
    option: str,
    metavar: str,
    parse: Callable[[str], object],
    text: str,
    *,
    dest: str | None = None,
) -> None:
    """Add an option with `text` as its help. `parse` raises `SettingError` for a wrong value."""
    group.add_argument(option, dest=dest, metavar=metavar, type=checked(parse), help=text)


def common(parser: argparse.ArgumentParser, training: Group) -> None:
    """Add to the group `training`, and add the groups of the device and of the data."""
    text = "batches whose gradients add up before an update (1)"
    value(training, "--accumulate", "N", limits.parse_accumulation, text, dest="accumulation")
    training.add_argument(
        "--dataset", choices=DATASETS, metavar="NAME", help="mnist or cifar10 (mnist)"
    )
    training.add_argument(
        "--optimizer",
        choices=OPTIMIZERS,
        metavar="NAME",
        help="sgd, momentum, adam or adamw (adam)",
    )
    text = "learning rate (0.001 for adam and adamw, else 0.01)"
    value(training, "--lr", "X", limits.parse_learning_rate, text, dest="learning_rate")
    value(training, "--hidden", "N", limits.parse_hidden, "hidden width (128)")
    value(training, "--seed", "N", limits.parse_seed, "of all that is random (42)")

    device = parser.add_argument_group("device")
    text = "auto, cpu, mps, cuda or cuda:N (auto)"
    value(device, "--device", "NAME", limits.parse_device, text)
    text = "budget of device memory; more is out of memory"
    value(device, "--vram", "SIZE", limits.parse_size, text, dest="budget")

    data = parser.add_argument_group("data")
    data.add_argument(
        "--data-dir",
        metavar="PATH",
        help="where the dataset lies in torchvision's layout; without it, the sample that ships",
    )
    data.add_argument(
        "--download",
        action="store_true",
        help="fetch the dataset into --data-dir, or into the user's cache, where it is not there",
    )


def about(parser: argparse.ArgumentParser) -> Group:
    """Add `--help` and return its group, to which more can be added."""
    group = parser.add_argument_group("about")
    group.add_argument("-h", "--help", action="help", help="show this help and exit")
    return group


def checked(parse: Callable[[str], _Value]) -> Callable[[str], _Value]:
    """The same parser, raising the kind of error that argparse shows to the user."""

    def checked(text: str) -> _Value:
        try:
            return parse(text)
        except SettingError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked
