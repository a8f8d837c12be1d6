"""PyTorch's CUDA allocator as the environment configures it.

PyTorch ends the process at import where it cannot read the configuration, so the format is checked
before. No torch.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping

from vramtop.protocol.lesson.settings import SettingError

VARIABLES = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF")

_PAIR = r"\s*(\w+)\s*:\s*(\[[^][]+\]|[^],:[\s]+)\s*"
_ALL = re.compile(rf"{_PAIR}(,{_PAIR})*")
_INTERVALS = 16
# Options that do not change how much memory one stream takes from the driver.
_HARMLESS = re.compile(
    r"roundup_power2_divisions|backend|pinned_\w+|release_lock_on_\w+|graph_capture_\w+"
)


def configured(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """The environment variable that PyTorch reads, and its value; None where none is set."""
    for name in VARIABLES:
        if environment.get(name):
            return name, environment[name]
    return None


def check(environment: Mapping[str, str]) -> None:
    """Raise `SettingError` where PyTorch cannot read the configuration."""
    found = configured(environment)
    if found is not None and not _ALL.fullmatch(found[1]):
        name, value = found
        raise SettingError(f"{name} is key:value pairs with a comma between two, not {value!r}")


def refusal(environment: Mapping[str, str], error: Exception) -> str | None:
    """One line if the error is PyTorch's refusal of the configuration when CUDA starts."""
    # Imports torch, which is there already: the error is PyTorch's.
    from vramtop.observer.private_cuda import CUDA_START

    found = configured(environment)
    frames = traceback.extract_tb(error.__traceback__)
    if found is None or not frames or frames[-1].name != CUDA_START:
        return None
    # For a malformed number PyTorch names only a C++ function; the variable must be named here.
    name, value = found
    reason = str(error).partition("\n")[0].strip()
    return f"{name}={value} is refused by PyTorch: {reason}"


def options(environment: Mapping[str, str]) -> dict[str, str]:
    """The configured values, by key."""
    found = configured(environment)
    return dict(re.findall(_PAIR, found[1])) if found else {}


def divisions(environment: Mapping[str, str]) -> tuple[int, ...]:
    """The values of `roundup_power2_divisions`, by size; empty where sizes are not rounded so.

    The first holds for sizes below 2 MiB, each further one for sizes up to twice as large. The
    option is one number for all sizes, or pairs as in `[256:1,512:2,>:4]` with sizes in MiB; its
    first pair also holds for all smaller sizes.
    """
    value = options(environment).get("roundup_power2_divisions", "")
    if value.isdecimal():
        return (int(value),) if int(value) > 1 else ()
    found, last = [0] * _INTERVALS, -1
    for size, parts in re.findall(r"(\d+|>)\s*:\s*(\d+)", value):
        index = last + 1 if size == ">" else max(0, int(size).bit_length() - 1)
        begin, end = 0 if last < 0 else index, _INTERVALS if size == ">" else index + 1
        found[begin:end] = [int(parts)] * len(found[begin:end])
        last = index
    return tuple(found) if max(found) > 1 else ()


def unmodelled(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The configured options whose effect `caching` does not simulate."""
    return tuple(
        key
        for key, value in options(environment).items()
        if not _HARMLESS.fullmatch(key) and value != "False"
    )
