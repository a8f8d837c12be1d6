"""Faults of the screen of a watched program."""

from __future__ import annotations

from .fault import Fault

_APP = ("tests/tui/app/test_program_app.py",)
_KEYS = ("tests/tui/app/test_program_keys.py",)
_INSIDE = ("tests/tui/app/test_looking_inside.py",)
_EXPECTED = ("tests/tui/programs/test_expected.py",)
_LINK = ("tests/tui/programs/test_link.py",)
_PRINTED = ("tests/tui/programs/test_printed.py",)

SCREEN = (
    Fault(
        "the first q ends the program",
        "tui/app/program_app.py",
        "        elif self._sure:\n",
        "        elif True:\n",
        _KEYS,
    ),
    Fault(
        "a program that was left for the GPUs is watched on",
        "tui/app/gpu_app.py",
        "            self._visit.cancel()\n",
        "",
        _INSIDE,
    ),
    Fault(
        "after a refusal nothing else can be entered",
        "tui/app/gpu_app.py",
        "isinstance(message, Parted) and before.watched is None",
        "False",
        _INSIDE,
    ),
    Fault(
        "esc leaves a program with all that was chosen in it",
        "tui/app/gpu_app.py",
        "self.state.cursor is not None or self.state.chosen is not None",
        "False",
        _INSIDE,
    ),
    Fault(
        "a moment that somebody looks at goes with the next step",
        "tui/state/program.py",
        "return state if state.cursor is not None else measured(state, message)",
        "return measured(state, message)",
        _APP,
    ),
    Fault(
        "the trends of one program go on with another",
        "tui/state/program.py",
        "before.pid != new.pid or (before.device and before.device != new.device)",
        "False",
        _APP,
    ),
    Fault(
        "an evaluation hides the training",
        "tui/programs/shown.py",
        'if step.kind == "inference" and before == "training":',
        "if False:",
        _LINK,
    ),
    Fault(
        "the latest rank is shown",
        "tui/programs/link.py",
        "if self._shown is not None and stays:",
        "if False:",
        _LINK,
    ),
    Fault(
        "a program that was killed does not answer any more",
        "tui/programs/link.py",
        'reason = "" if ended else',
        'reason = "" if False else',
        _LINK,
    ),
    Fault(
        "gradients are expected of frozen parameters too",
        "tui/programs/expected.py",
        "trained = [name for name in names if name.trained]",
        "trained = names",
        _EXPECTED,
    ),
    Fault(
        "a difference has the first reason that there is",
        "tui/programs/expected.py",
        "for why, size in each.reasons.items() if size == more",
        "for why, size in each.reasons.items()",
        _EXPECTED,
    ),
    Fault(
        "a progress bar fills the log",
        "tui/programs/printed.py",
        "again=self._given is not None",
        "again=False",
        _PRINTED,
    ),
)
