"""Settings, their limits, and how they are read from text. No torch.

All functions raise `SettingError` for a text that is no such setting.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from fractions import Fraction
from typing import Literal, get_args

import msgspec

DatasetName = Literal["mnist", "cifar10"]
OptimizerName = Literal["sgd", "momentum", "adam", "adamw"]
DATASETS: tuple[DatasetName, ...] = get_args(DatasetName)
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)

MAX_HIDDEN = 65_536
MAX_ACCUMULATION = 256  # an anatomy shows every batch
MAX_PARAMETERS = 10**15
MAX_ESTIMATED = 10**9  # batch size of a prediction, which makes no batch
MAX_RATE = 1000
MAX_SEED = 2**63 - 1
MAX_BYTES = 2**63 - 1  # the largest size for MessagePack and the allocator
USUAL_LEARNING_RATE: dict[OptimizerName, float] = {
    "sgd": 1e-2,
    "momentum": 1e-2,
    "adam": 1e-3,
    "adamw": 1e-3,
}

_UNITS = {"": 1, "b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_UNITS |= {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_UNITS |= {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_WHOLE = re.compile(r"[+-]?([0-9]{1,30}|[0-9]{1,3}((,[0-9]{3}){1,9}|(_[0-9]{3}){1,9}))")
_SIZE = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?)\s*([a-zA-Z]*)")
_COUNT = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?)(?:([kKmMbBtT])|[eE]\+?([0-9]{1,2}))")
_POWERS = {"k": 3, "m": 6, "b": 9, "t": 12}
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:(0|[1-9][0-9]?))?")  # torch refuses cuda:01


class SettingError(ValueError):
    """An impossible setting; the text is one line that says what is wrong and what is right."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a training. `budget` is in bytes; None means no limit.

    A step adds up the gradients of `accumulation` batches of `batch_size` images before it updates
    the parameters; one batch is loaded at a time. A `learning_rate` of None means the usual one of
    the optimizer in use.
    """

    dataset: DatasetName = "mnist"
    batch_size: int = 64
    optimizer: OptimizerName = "adam"
    learning_rate: float | None = None
    hidden: int = 128
    device: str = "auto"
    budget: int | None = None
    data_dir: str | None = None
    seed: int = 42
    accumulation: int = 1

    @property
    def effective_batch(self) -> int:
        """The number of images whose mean gradient makes one update."""
        return self.batch_size * self.accumulation

    @property
    def rate(self) -> float:
        """The learning rate in force."""
        if self.learning_rate is not None:
            return self.learning_rate
        return USUAL_LEARNING_RATE[self.optimizer]


def parse_whole(text: str, *, what: str, low: int, high: int, beyond: str = "") -> int:
    """A whole number from `low` to `high`; `1,024` and `1_024` are read as well.

    A comma must stand before each three digits: 1,2 may be meant as two numbers. `what` begins the
    error's text, and `beyond` ends it where the number is too large.
    """
    plain = text.strip()
    right = f"a whole number from {low:,} to {high:,}"
    if not _WHOLE.fullmatch(plain):
        raise SettingError(f"{what} is {right}, not {text!r}")
    number = int(plain.replace(",", "").replace("_", ""))
    if not low <= number <= high:
        raise SettingError(f"{what} is {right}, not {number:,}{beyond if number > high else ''}")
    return number


def parse_share(text: str) -> float:
    """A share from 0 on, written as `2%` or `0.5 %`."""
    number = text.strip()
    with suppress(ValueError):
        if number.endswith("%") and 0 <= (share := float(number[:-1]) / 100) < math.inf:
            return share
    raise SettingError(f"a share is like 2%, not {text!r}")


_NO_MORE = ": there are no more training images"


def parse_batch_size(text: str, images: int, beyond: str = _NO_MORE) -> int:
    """A batch size from 1 to the number of training `images`; for `beyond` see `parse_whole`."""
    return parse_whole(text, what="batch size", low=1, high=images, beyond=beyond)


def parse_batch_sizes(text: str, images: int, beyond: str = _NO_MORE) -> list[int]:
    """Batch sizes with commas between them, each read by `parse_batch_size` and given once."""
    sizes = [size.strip() for size in text.split(",")]
    if not all(sizes):
        raise SettingError(f"batch sizes are whole numbers with a comma between two, not {text!r}")
    if any(size.startswith("0") and size.strip("0") for size in sizes):
        raise SettingError(
            f"a comma stands between two batch sizes; write 1024 or 1_024 for one, not {text!r}"
        )
    numbers = [parse_batch_size(size, images, beyond) for size in sizes]
    for number in numbers:
        if numbers.count(number) > 1:
            raise SettingError(f"each batch size is given once, {number:,} is there again")
    return numbers


def parse_accumulation(text: str) -> int:
    """How many batches a step adds up, from 1 to `MAX_ACCUMULATION`."""
    return parse_whole(text, what="accumulation", low=1, high=MAX_ACCUMULATION)


def parse_hidden(text: str) -> int:
    """A hidden width from 1 to `MAX_HIDDEN`."""
    return parse_whole(text, what="hidden width", low=1, high=MAX_HIDDEN)


def parse_seed(text: str) -> int:
    """A seed that torch accepts."""
    return parse_whole(text, what="seed", low=0, high=MAX_SEED)


def parse_parameters(text: str, what: str = "parameters") -> int:
    """A number of parameters, also as `7B`, `1.5M` or `1e8`; `what` begins the error's text."""
    match = _COUNT.fullmatch(text.strip())
    if match:
        power = _POWERS[match[2].lower()] if match[2] else int(match[3])
        number = Fraction(match[1]) * 10**power
        if number.denominator == 1:
            text = str(number.numerator)
    return parse_whole(text, what=what, low=1, high=MAX_PARAMETERS)


def parse_learning_rate(text: str) -> float:
    """A learning rate above 0 and up to `MAX_RATE`."""
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate <= MAX_RATE:
        raise SettingError(f"learning rate is a number above 0 and up to {MAX_RATE}, not {text!r}")
    return rate


def parse_size(text: str) -> int:
    """Bytes from `24MiB`, `1.5GiB`, `100MB` or `4096`."""
    match = _SIZE.fullmatch(text.strip())
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise SettingError(f"a size is like 24MiB, 1.5GiB or 4096 (bytes), not {text!r}")
    size = int(Fraction(match[1]) * unit)
    if not 1 <= size <= MAX_BYTES:
        raise SettingError(f"a size is from 1 to {MAX_BYTES:,} bytes, not {text!r}")
    return size


def parse_device(text: str) -> str:
    """A device name. The worker checks whether there is such a device."""
    if not _DEVICE.fullmatch(text):
        raise SettingError(f"device is auto, cpu, mps, cuda or cuda:N, not {text!r}")
    return text
