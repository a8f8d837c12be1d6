"""Faults of what is sent to the terminal, and of the picture of GPUs that is held."""

from __future__ import annotations

from .fault import Fault

_MEMORY = ("tests/tui/terminal/test_screen_memory.py",)
_PROCESSES = ("tests/tui/screens/test_process_keys.py",)

TERMINAL = (
    Fault(
        "a cell of another style is taken to be the same",
        "tui/terminal/screen_memory.py",
        "if old != new or style != run.style]",
        "if old != new]",
        _MEMORY,
    ),
    Fault(
        "what is drawn after the terminal has another size is thinned by the old one",
        "tui/terminal/screen_memory.py",
        "if size != self._size or not self._lines:",
        "if not self._lines:",
        _MEMORY,
    ),
    Fault(
        "after something else on the screen, cells count as known",
        "tui/terminal/screen_memory.py",
        "        self._lines = []\n        return self._pen.put_down() + data\n",
        "        return self._pen.put_down() + data\n",
        _MEMORY,
    ),
    Fault(
        "the shell goes on in the app's style",
        "tui/terminal/screen_memory.py",
        "        self._lines = []\n        return self._pen.put_down() + data\n",
        "        self._lines = []\n        return data\n",
        _MEMORY,
    ),
    Fault(
        "bold stays where plain text follows",
        "tui/terminal/pen.py",
        "if not old.attributes <= new.attributes:",
        "if False:",
        _MEMORY,
    ),
    Fault(
        "after characters of two cells the way goes on from where they should end",
        "tui/terminal/screen_memory.py",
        "at = (x + len(text), run.y) if run.even else _NOWHERE",
        "at = (x + len(text), run.y)",
        _MEMORY,
    ),
    Fault(
        "a report draws the live parts twice",
        "tui/app/painting.py",
        "        if self._painted is state:\n            return\n",
        "",
        ("tests/tui/app/test_painting.py",),
    ),
    Fault(
        "a picture that is held goes on with the next report",
        "tui/state/frozen.py",
        "return replace(state, gpus=held.gpus, gpu_history=held.history) if held else state",
        "return state",
        _PROCESSES,
    ),
)
