"""How NVML is asked. Only this module imports pynvml, and not before the first question.

NVML can refuse one question, lose one GPU, or fail as a whole. Each has an exception here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn, TypeVar

_T = TypeVar("_T")

NO_DRIVER = "no NVIDIA driver here"

# NVML's error codes. Any other code only refuses the question that was asked.
_NOT_SUPPORTED, _NOT_FOUND, _INSUFFICIENT_SIZE = 3, 6, 7
_DOWN = {
    1: "NVML is not initialized",
    9: "the NVIDIA driver is not loaded",
    12: NO_DRIVER,
    18: "NVIDIA driver/library version mismatch",
}
_LOST = {15: "the GPU is lost", 16: "the GPU needs a reset"}
_MISSING = {13: "this driver does not know it", 25: "this driver knows it in another form"}
# What NVML answers where it has no number: of 32 bits, and of bytes.
_NO_UINT, _NO_BYTES = 2**32 - 1, 2**64 - 1

_ROOM, _TRIES = 64, 3


class Refused(Exception):
    """NVML does not answer a question; the text is the reason."""


class Missing(Refused):
    """This driver, or this pynvml, does not know the question in this form."""


class Absent(Refused):
    """There is no such GPU, instance or process."""


class Unsupported(Refused):
    """This GPU has no such thing."""


class Lost(Refused):
    """This GPU answers nothing any more."""


class Down(Exception):
    """NVML as a whole cannot be asked; the text is the reason."""


def ask(name: str, *arguments: Any) -> Any:  # noqa: ANN401 - of each question's type
    """What pynvml's function of this name answers. Raises `Refused` or `Down`."""
    import pynvml

    try:
        return getattr(pynvml, name)(*arguments)
    except pynvml.NVMLError as error:
        _fail(error)
    except AttributeError as error:  # not in this pynvml, or not in this driver's library
        raise Missing(str(error)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(str(error)) from error


def _fail(error: Any) -> NoReturn:  # noqa: ANN401 - pynvml has no types
    code = error.value
    if code in _DOWN:
        raise Down(_DOWN[code]) from error
    if code in _LOST:
        raise Lost(_LOST[code]) from error
    if code in _MISSING:
        raise Missing(_MISSING[code]) from error
    kind = {_NOT_SUPPORTED: Unsupported, _NOT_FOUND: Absent}.get(code, Refused)
    raise kind(str(error)) from error


def first(*questions: Callable[[], _T]) -> _T:
    """The answer to the first of these questions that this driver knows.

    They are forms of one question, the newest first. If none is known, the last one's error is
    raised.
    """
    for question in questions[:-1]:
        try:
            return question()
        except Missing:
            pass
    return questions[-1]()


class Answers:
    """Asks questions about one device, or about the system, and keeps the refusals."""

    def __init__(self, device: Any = None) -> None:  # noqa: ANN401 - an opaque handle
        self.device = device
        self.refused: dict[str, str] = {}

    def take(self, field: str, question: Callable[[], _T]) -> _T | None:
        """The answer, or None where it is refused. Raises `Lost` and `Down`."""
        try:
            return question()
        except Lost:
            raise
        except Refused as refusal:
            self.refused[field] = str(refusal)
            return None

    def get(self, field: str, name: str, *arguments: Any) -> Any:  # noqa: ANN401
        """What pynvml's function of this name answers, or None where it is refused."""
        whose = () if self.device is None else (self.device,)
        return self.take(field, partial(ask, name, *whose, *arguments))

    def number(self, field: str, name: str, *arguments: Any) -> int | None:  # noqa: ANN401
        """A number of 32 bits, or None where it is refused or not available."""
        return self.known(field, self.get(field, name, *arguments), _NO_UINT)

    def known(self, field: str, value: int | None, nothing: int = _NO_BYTES) -> int | None:
        """The value, or None if it is the number by which NVML says that there is none."""
        if value != nothing:
            return value
        self.refused[field] = "not available"
        return None


class _Process(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


class _FirstProcess(ctypes.Structure):
    _fields_ = (("pid", ctypes.c_uint), ("used", ctypes.c_ulonglong))


def running(name: str, handle: Any) -> dict[int, int | None]:  # noqa: ANN401 - opaque
    """The bytes that each pid holds, by the list of this name; None where they are not available.

    The question has three forms. The second is asked first, since its record never changed. The
    third one's record was longer in the 535 drivers before 535.98: there all processes but the
    first would be read wrong. pynvml's own functions lack the first form, and in 12.535 the second.
    """
    return first(
        partial(_running, f"{name}_v2", _Process, handle),
        partial(_running, f"{name}_v3", _Process, handle),
        partial(_running, name, _FirstProcess, handle),
    )


def _running(name: str, record: type[Any], handle: Any) -> dict[int, int | None]:  # noqa: ANN401
    import pynvml

    try:
        function = getattr(pynvml.nvmlLib, name)
    except (AttributeError, OSError) as error:
        raise Missing(str(error)) from error
    room = _ROOM
    for _ in range(_TRIES):
        records, count = (record * room)(), ctypes.c_uint(room)
        code = function(handle, ctypes.byref(count), records)
        if code == 0:
            return _by_pid(records[: count.value])
        if code != _INSUFFICIENT_SIZE:
            _fail(pynvml.NVMLError(code))
        room = 2 * max(room, count.value)  # more may come before the next try
    raise Refused("processes come faster than they can be listed")


def _by_pid(processes: list[Any]) -> dict[int, int | None]:
    used: dict[int, int | None] = {}
    for process in processes:
        # A process in several instances of a split GPU is listed once for each.
        before = used.get(process.pid, 0)
        unknown = process.used == _NO_BYTES or before is None
        used[process.pid] = None if unknown else before + process.used
    return used


def sampled(handle: Any, since: int) -> dict[int, tuple[int, int]]:  # noqa: ANN401 - opaque
    """The percent of the time that each pid used the GPU's SMs, and its memory, at its last sample.

    Only samples after `since` count, in microseconds since 1970. A process that has not worked has
    none.
    """
    try:
        samples = ask("nvmlDeviceGetProcessUtilization", handle, since)
    except Absent:
        return {}  # nobody has worked
    latest = sorted(samples, key=lambda sample: int(sample.timeStamp))
    return {sample.pid: (sample.smUtil, sample.memUtil) for sample in latest}
