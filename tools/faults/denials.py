"""Faults of what is told of a program that runs out of memory."""

from __future__ import annotations

from .fault import Fault

_AUTOPSY = ("tests/accounting/program/test_autopsy.py",)
_CONNECTION = ("tests/observer/program/test_connection.py",)
_DENIED = ("tests/observer/program/test_denied.py",)

DENIALS = (
    Fault(
        "the program itself is among the other processes",
        "tui/programs/seen.py",
        "for each in found if each.pid != pid",
        "for each in found",
        ("tests/end_to_end/test_run_program.py",),
    ),
    Fault(
        "the shortest sequence before is compared with",
        "tui/words/autopsy.py",
        "largest = max(before,",
        "largest = min(before,",
        ("tests/tui/words/test_autopsy.py",),
    ),
    Fault(
        "an out of memory: free pieces of another stream serve the request",
        "accounting/program/autopsy.py",
        "alike = (segment.kind, segment.stream) == (self._kind, self._denied.stream)",
        "alike = segment.kind == self._kind",
        _AUTOPSY,
    ),
    Fault(
        "an out of memory: a segment that is wholly free is pinned",
        "accounting/program/autopsy.py",
        "if used and mostly",
        "if mostly",
        _AUTOPSY,
    ),
    Fault(
        "an out of memory: gradients that backward makes are stale",
        "accounting/program/remedies.py",
        'stale = denied.phase not in ("backward", "optimizer")',
        "stale = True",
        _AUTOPSY,
    ),
    Fault(
        "an out of memory: an evaluation without gradients keeps a graph",
        "accounting/program/remedies.py",
        "denied.evaluates and denied.differentiable",
        "denied.evaluates",
        _AUTOPSY,
    ),
    Fault(
        "an out of memory: gradients are read while another thread may write them",
        "observer/program/scene.py",
        "return not others_in_backward()",
        "return True",
        _DENIED,
    ),
    Fault(
        "an out of memory in backward has no line",
        "observer/program/scene.py",
        "if line == NOWHERE and in_backward():",
        "if False:",
        _DENIED,
    ),
    Fault(
        "an out of memory: memory that two parameters share counts twice",
        "observer/program/held.py",
        "total += 0 if address in self._counted else size",
        "total += size",
        _DENIED,
    ),
    Fault(
        "an out of memory before the first window is not heard of",
        "observer/program/windows.py",
        """            self._hear_denials()
            if since_start:""",
        "            if since_start:",
        _DENIED,
    ),
    Fault(
        "each out of memory waits for a monitor that does not read",
        "observer/program/viewer.py",
        'message.get("type") == "out_of_memory"',
        "False",
        _CONNECTION,
    ),
)
