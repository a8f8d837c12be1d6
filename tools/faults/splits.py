"""Faults that make a program's split another one than the program counts itself."""

from __future__ import annotations

from .fault import Fault

_TESTS = ("tests/programs/test_programs.py",)

SPLITS = (
    Fault(
        "what load makes and releases before the call is a batch",
        "accounting/program/ownership.py",
        'return "batch_data" if _lasts_until(block, self._calls) else "temporaries"',
        'return "batch_data"',
        _TESTS,
    ),
    Fault(
        "a batch that is older than the step is nobody's",
        "accounting/program/ownership.py",
        "if self._went_into_call(block) and not (stretch is not None and stretch.called):",
        "if self._went_into_call(block) and stretch is not None and not stretch.called:",
        _TESTS,
    ),
    Fault(
        "a batch fetched ahead is an activation",
        "accounting/program/ownership.py",
        "self._fetched_ahead(block) or self._fetched_along(block, stretch)",
        "self._fetched_along(block, stretch)",
        _TESTS,
    ),
    Fault(
        "what forward makes is an activation even where no backward comes",
        "accounting/program/ownership.py",
        'return "activations" if _lasts_until(block, self._backwards) else "temporaries"',
        'return "activations"',
        _TESTS,
    ),
    Fault(
        "a loss that a list keeps stays an activation",
        "accounting/program/ownership.py",
        "if stretch is None or self._kept(block):",
        "if stretch is None:",
        _TESTS,
    ),
    Fault(
        "the memory of cuBLAS is nobody's",
        "accounting/program/ownership.py",
        '                return "workspace"',
        '                return "other"',
        _TESTS,
    ),
    Fault(
        "between two backwards nothing but a loss can come",
        "accounting/program/phases.py",
        ' or (before == ahead.next == "backward" and not allocates)',
        "",
        _TESTS,
    ),
    Fault(
        "the gradient of the loss is made by forward",
        "observer/program/window.py",
        "expected=self._outputs_at == self._marks",
        "expected=False",
        _TESTS,
    ),
    Fault(
        "state that an optimizer replaces is not seen",
        "observer/program/window.py",
        "                self._sight_state(again=False)\n",
        "",
        _TESTS,
    ),
    Fault(
        "a gradient that no operator made is older than the step",
        "observer/program/device_log.py",
        'self.sight("gradients", changed, older=self._begins)',
        'self.sight("gradients", changed, older=True)',
        _TESTS,
    ),
    Fault(
        "a training on the CPU is looked for on the GPUs",
        "observer/program/choice.py",
        "if gpus := gpus_in_use():",
        'if gpus := gpus_in_use() or [torch.device("cuda", 0)]:',
        _TESTS,
    ),
    Fault(
        "what was loaded between two calls but goes into none is an activation",
        "accounting/program/ownership.py",
        "self._fetched_ahead(block) or self._fetched_along(block, stretch)",
        "self._fetched_ahead(block)",
        _TESTS,
    ),
    Fault(
        "what a first network has made is the second one's batch",
        "observer/program/window.py",
        "if tensor.grad_fn is not None:",
        "if False:",
        _TESTS,
    ),
)
