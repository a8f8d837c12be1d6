"""Faults of what `run` and `attach` ask of a program, and of what they print."""

from __future__ import annotations

from .fault import Fault

_CONNECTION = ("tests/observer/program/test_connection.py",)
_LISTENING = ("tests/observer/program/test_listening.py",)
_FIRST_STEPS = ("tests/observer/program/test_first_steps.py",)
_OPTIONS = ("tests/tui/cli/test_program_options.py",)
_PROGRAMS = ("tests/tui/programs/test_programs.py",)
_LAUNCH = ("tests/tui/programs/test_launch.py",)
_ATTACH = ("tests/tui/headless/test_program_attach.py",)
_TABLE = ("tests/tui/headless/test_program_table.py",)

COMMANDS = (
    Fault(
        "what is recorded when a program ends is not sent",
        "observer/program/connection.py",
        "            self._agent.end()\n",
        "",
        _CONNECTION,
    ),
    Fault(
        "a program does not wait for the monitor that has started it",
        "observer/program/connection.py",
        "self._answered.acquire(timeout=ANSWER_SECONDS)",
        "pass",
        _LISTENING,
    ),
    Fault(
        "a program waits for a monitor that has gone",
        "observer/program/connection.py",
        "            except OSError:  # that monitor has gone; others may come\n"
        "                self._let_go()",
        "            except OSError:\n                pass",
        _LISTENING,
    ),
    Fault(
        "lines are noted though nobody watches any more",
        "observer/program/first_lines.py",
        "        if noting:\n",
        "        if False:\n",
        _FIRST_STEPS,
    ),
    Fault(
        "the dashes before a command are taken for the command",
        "tui/cli/program_options.py",
        'words[1:] if words[:1] == ["--"] else words',
        "words",
        _OPTIONS,
    ),
    Fault(
        "an option's value is taken for the command",
        "tui/cli/program_options.py",
        "at += 1 if action is None or action.nargs == 0 else 2",
        "at += 1",
        _OPTIONS,
    ),
    Fault(
        "ranks are reported as they came",
        "tui/programs/programs.py",
        "ranked = sorted(programs, key=lambda each: each.observed.rank or 0)",
        "ranked = list(programs)",
        _PROGRAMS,
    ),
    Fault(
        "a Python that ignores its environment is not noticed",
        "tui/programs/launch.py",
        '_ISOLATED = "IE"',
        '_ISOLATED = "I"',
        _LAUNCH,
    ),
    Fault(
        "attaching goes on though nobody reads its lines",
        "tui/headless/program_attach.py",
        "elif output.closed or (",
        "elif (",
        _ATTACH,
    ),
    Fault(
        "bytes in no category are not told",
        "tui/headless/program_table.py",
        "if kind.unattributed == 0:",
        "if kind.unattributed is not None:",
        _TABLE,
    ),
    Fault(
        "the rank with the lowest peak is shown",
        "tui/headless/program_table.py",
        "most = max(reports, key=_peak)",
        "most = min(reports, key=_peak)",
        _TABLE,
    ),
)
