"""The local variables of functions that run, or that a generator or a traceback keeps."""

from __future__ import annotations

import sys
from types import FrameType

_PACKAGE = str(__package__).rpartition(".")[0]  # the observer's
_READS_WITHOUT_TRACE = sys.version_info >= (3, 13)
_OURS = 2  # references to the variables that are read: the frame's and ours, besides the argument


def local_variables(frame: FrameType) -> list[tuple[str, object]]:
    """The names and values of a function's local variables; none for the code of a module.

    Until Python 3.12 reading them leaves a copy in the frame, which would keep tensors alive. It is
    emptied again, unless somebody else uses it.
    """
    if frame.f_code.co_name == "<module>":
        return []
    names = frame.f_locals
    if names is frame.f_globals:
        return []
    found = list(names.items())
    if not _READS_WITHOUT_TRACE and not _traced(frame) and sys.getrefcount(names) <= _OURS + 1:
        names.clear()
    return found


def _traced(frame: FrameType) -> bool:
    """Whether a debugger may write that copy back into the frame."""
    return not (frame.f_trace is sys.gettrace() is sys.getprofile() is None)


def running_frames() -> list[FrameType]:
    """The frames of all threads but the observer's own, the innermost of each first.

    A frame that has itself in a variable would stay until Python collects garbage.
    """
    frames = []
    for innermost in sys._current_frames().values():
        frame: FrameType | None = innermost
        while frame is not None:
            if not is_ours(frame.f_globals.get("__name__")):
                frames.append(frame)
            frame = frame.f_back
    del innermost
    return frames


def is_ours(module: object) -> bool:
    """Whether a module of this name is the observer's."""
    return isinstance(module, str) and (module == _PACKAGE or module.startswith(f"{_PACKAGE}."))
