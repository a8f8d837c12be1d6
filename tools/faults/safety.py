"""Faults by which an observer notes the wrong thing, or leaves something in the program."""

from __future__ import annotations

from .fault import Fault

_CHILDREN = ("tests/observer/program/test_forking.py",)
_FIRST_STEPS = ("tests/observer/program/test_first_steps.py",)
_HISTORIES = ("tests/observer/program/test_histories.py",)
_HOLDERS = ("tests/observer/program/test_holders.py",)
_LEAKS = ("tests/observer/program/test_leaks.py",)
_LEVELS = ("tests/observer/program/test_levels.py",)
_HOOKS = ("tests/observer/program/test_hooks.py",)
_LINES = ("tests/observer/program/test_lines.py",)
_LOG = ("tests/observer/program/test_device_log.py",)
_OTHERS = ("tests/accounting/program/test_reported_others.py",)
_NOTHING_LEFT = ("tests/observer/program/test_nothing_left.py",)
_ON_GPUS = ("tests/observer/program/test_on_gpus.py",)
_TENSORS = ("tests/accounting/program/test_reported_tensors.py",)
_UNCHANGED = ("tests/observer/program/test_unchanged.py",)

SAFETY = (
    Fault(
        "a graph is that of any tensor within it",
        "observer/program/graphs.py",
        "                    self._above.setdefault(begins, number)\n",
        "                    pass\n",
        _HOLDERS,
    ),
    Fault(
        "a traceback keeps nothing",
        "observer/program/paths.py",
        "if type(each) is FrameType else None",
        "if False else None",
        _HOLDERS,
    ),
    Fault(
        "who holds an object of Python's library is not looked for",
        "observer/program/variables.py",
        "vague = of_library(kind)",
        "vague = False",
        _HOLDERS,
    ),
    Fault(
        "memory of an error is named by a closure of what has failed",
        "observer/program/holders.py",
        " or (variable.of_closure and path.has_errors(reached))",
        "",
        _HOLDERS,
    ),
    Fault(
        "the level is the latest one and not the least",
        "observer/program/levels.py",
        "if least is None or held <= least[0]:",
        "if True:",
        _LEVELS,
    ),
    Fault(
        "levels are not read after steps that are not watched",
        "observer/program/agent.py",
        "if at_rest and now >= windows.levels.due:",
        "if at_rest and now < 0:",
        (*_LEVELS, *_LEAKS),
    ),
    Fault(
        "the allocator notes what a forked child does",
        "observer/program/windows.py",
        "            self.window.recorder.pause()\n",
        "            pass\n",
        _ON_GPUS,
    ),
    Fault(
        "the first lines are noted in a forked child",
        "observer/program/windows.py",
        "        self._first_lines.pause()\n",
        "",
        _CHILDREN,
    ),
    Fault(
        "what was recorded before a fork is lost",
        "observer/program/trace_recorder.py",
        "for part in self.parts for entry",
        "for part in self.parts[-1:] for entry",
        _ON_GPUS,
    ),
    Fault(
        "half a cycle of two optimizers is a step",
        "observer/program/window.py",
        "not 0 < len(self._owners.optimizers()) <= self._periods.stepped",
        "self._periods.stepped == 0",
        _FIRST_STEPS,
    ),
    Fault(
        "a program of one step has none",
        "observer/program/agent.py",
        "                    self._windows.finish()\n",
        "                    pass\n",
        _FIRST_STEPS,
    ),
    Fault(
        "the first step is told twice",
        "observer/program/window.py",
        "return None if done == self._told else done",
        "return done",
        _FIRST_STEPS,
    ),
    Fault(
        "what the allocator notes can be ended in one thread only",
        "observer/private_cuda.py",
        "global_record_annotations=True",
        "global_record_annotations=False",
        _ON_GPUS,
    ),
    Fault(
        "a history that failed to stop goes on",
        "observer/program/trace_recorder.py",
        "                self.ours = True  # another try may follow\n",
        "",
        _ON_GPUS,
    ),
    Fault(
        "a forked child goes on recording operators",
        "observer/program/windows.py",
        "            window.recorder.forget()",
        "            pass",
        _CHILDREN,
    ),
    Fault(
        "hooks stay where a window is given up",
        "observer/program/windows.py",
        "        with suppress(Exception):\n            self.hooks.leave_modules()\n",
        "",
        _NOTHING_LEFT,
    ),
    Fault(
        "the program's own history is ended with ours",
        "observer/program/trace_recorder.py",
        "self.ours = not history_enabled()",
        "self.ours = True",
        _HISTORIES,
    ),
    Fault(
        "a program within torch.func is not told of",
        "observer/program/windows.py",
        "if self._refused == _REFUSED:",
        "if False:",
        _UNCHANGED,
    ),
    Fault(
        "a gradient at the place of a former one is not seen",
        "observer/program/device_log.py",
        "known is None or known() is not gradient",
        "known is None",
        _LOG,
    ),
    Fault(
        "state at the place of former state is not seen",
        "observer/program/device_log.py",
        "known is None or known() is not each.tensor",
        "known is None",
        _LOG,
    ),
    Fault(
        "an allocation is the module's that ran before",
        "observer/program/device_log.py",
        "running[bisect_right(places, number)]",
        "running[bisect_right(places, number - 1)]",
        _LOG,
    ),
    Fault(
        "what is sighted at a window's end is left out",
        "observer/program/device_log.py",
        "if begin <= place <= end",
        "if begin <= place < end",
        _LOG,
    ),
    Fault(
        "what was freed after a window's end is not in it",
        "observer/program/device_log.py",
        "                blocks[address] = -size\n",
        "                pass\n",
        _LOG,
    ),
    Fault(
        "a view lies where its memory begins",
        "observer/program/device_log.py",
        "self.recorder.address(storage, older=older) + self._offset(tensor)",
        "self.recorder.address(storage, older=older)",
        _LOG,
    ),
    Fault(
        "all gradients of a bucket on the CPU are the first one's",
        "accounting/program/naming.py",
        'alike = label if name.view and step.source == "operators" else ""',
        'alike = ""',
        _TENSORS,
    ),
    Fault(
        "autocast keeps any number of copies",
        "accounting/program/other.py",
        "            copies[block.size] -= 1\n",
        "",
        _OTHERS,
    ),
    Fault(
        "what lies beside PyTorch is PyTorch's",
        "observer/program/lines.py",
        '_TORCH = f"{Path(torch.__file__).parent}/"',
        '_TORCH = f"{Path(torch.__file__).parent}"',
        _LINES,
    ),
    Fault(
        "a package's line is its outermost one",
        "observer/program/lines.py",
        "            if rank > best:\n                best, found = rank, frame",
        "            if rank >= best:\n                best, found = rank, frame",
        _LINES,
    ),
    Fault(
        "hooks change while another thread goes through them",
        "observer/program/hooks.py",
        "return any(map(_goes_through_hooks, sys._current_frames().values()))",
        "return _goes_through_hooks(sys._getframe())",
        _HOOKS,
    ),
    Fault(
        "an optimizer's own step counts as its hooks",
        "observer/program/hooks.py",
        "if inner is None or inner.f_code is not step:",
        "if True:",
        _HOOKS,
    ),
    Fault(
        "a compiled program is searched for each watched step",
        "observer/program/steps.py",
        "self._last, self._latest = None, step.when",
        "self._last, self._latest = None, -math.inf",
        ("tests/observer/program/test_compiled.py",),
    ),
    Fault(
        "steps within backward passes count",
        "observer/program/steps.py",
        "if step.task >= 0:",
        "if step.task >= 1 << 40:",
        ("tests/observer/program/test_steps.py",),
    ),
    Fault(
        "a watched step's time counts as a plain one's",
        "observer/program/agent.py",
        "plain=windows.window is None)",
        "plain=True)",
        ("tests/observer/program",),
    ),
    Fault(
        "a mistake in noting a step reaches the program",
        "observer/program/agent.py",
        "self._see(self._fail, error)",
        "raise error",
        ("tests/observer/program/test_mistakes.py",),
    ),
)
