"""Faults in what the screen and the table of a program say beside its split."""

from __future__ import annotations

from .fault import Fault

_SUM = ("tests/accounting/program/test_driver.py",)
_CALLED = ("tests/observer/program/test_called.py",)
_BUCKETS = ("tests/end_to_end/test_bucket_views.py",)
_CHECKPOINTING = ("tests/accounting/program/test_checkpointing.py",)

INSIDE = (
    Fault(
        "the allocator's figure from before the driver was asked counts as one from after it",
        "accounting/program/driver.py",
        "if self._asked is None or clock <= self._asked[0].ended:",
        "if self._asked is None:",
        _SUM,
    ),
    Fault(
        "an allocator that has changed and come back counts as unchanged",
        "accounting/program/driver.py",
        "if before.turnover == pool.turnover and outside >= 0:",
        "if before.reserved == pool.reserved and outside >= 0:",
        _SUM,
    ),
    Fault(
        "the context is what was first seen, not the least",
        "accounting/program/driver.py",
        "outside if self._least is None else min(self._least, outside)",
        "outside if self._least is None else self._least",
        _SUM,
    ),
    Fault(
        "the driver's figure of one size of the allocator serves for another",
        "accounting/program/driver.py",
        "self._least is None or self._known[1] != reserved",
        "self._least is None",
        _SUM,
    ),
    Fault(
        "the workspace is in the step's tensors too",
        "accounting/program/driver.py",
        '"step": end.requested - memory.workspace,',
        '"step": end.requested,',
        _SUM,
    ),
    Fault(
        "what autograd's own thread calls again is not noted",
        "observer/program/agent.py",
        "elif (window := self._windows.window) is not None and in_backward():",
        "elif (window := self._windows.window) is not None and self._windows.of_this_thread:",
        ("tests/programs/test_recomputed.py",),
    ),
    Fault(
        "what forward calls counts as called again",
        "observer/program/window.py",
        """        if in_backward():
            self.called_again(module)
        elif not self._running:
""",
        """        self.called_again(module)
        if not in_backward() and not self._running:
""",
        _CALLED,
    ),
    Fault(
        "the latest call alone says whether a module returns one tensor",
        "observer/program/called.py",
        "single and self._single.get(number, True)",
        "single",
        _CALLED,
    ),
    Fault(
        "a module that returns several tensors is to be checkpointed",
        "accounting/program/checkpointing.py",
        "if not groups[group] <= single:",
        "if groups[group] & again:",
        _CHECKPOINTING,
    ),
    Fault(
        "a module is to be checkpointed that is so already",
        "accounting/program/checkpointing.py",
        "for number in recorded.step.single} - again",
        "for number in recorded.step.single}",
        _CHECKPOINTING,
    ),
    Fault(
        "a gradient is never outside its bucket, not even while it is made",
        "accounting/program/bucket_views.py",
        "gone = later + 1 if module in called else end",
        "gone = birth",
        _BUCKETS,
    ),
    Fault(
        "views are predicted where gradients are views already",
        "accounting/program/bucket_views.py",
        "if step.bucket_views or sum(",
        "if sum(",
        _BUCKETS,
    ),
    Fault(
        "after the lines the modules come again, and never the shapes",
        "tui/state/listing.py",
        "_WHATS[after % len(_WHATS)]",
        "_WHATS[after % 2]",
        ("tests/tui/app/test_shapes.py",),
    ),
)
