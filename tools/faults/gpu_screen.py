"""Faults of the screen of GPUs: its processes, its charts, and how processes end."""

from __future__ import annotations

from .fault import Fault

_LIST = ("tests/tui/state/test_processes.py",)
_KEYS = ("tests/tui/screens/test_process_keys.py",)
_SIGNALS = ("tests/tui/programs/test_signalled.py",)
_CHARTS = ("tests/tui/widgets/gpus/test_history_charts.py",)
_HISTORY = ("tests/tui/state/test_gpu_history.py",)

GPU_SCREEN = (
    Fault(
        "a signal goes to whoever has the number now",
        "tui/programs/signalled.py",
        "if abs(born - started) > _SAME_SECONDS:",
        "if False:",
        _SIGNALS,
    ),
    Fault(
        "anybody may end anybody's process",
        "tui/programs/signalled.py",
        "if os.geteuid() not in (0, uid):",
        "if False:",
        _SIGNALS,
    ),
    Fault(
        "the question asks about the process that is chosen when it is answered",
        "tui/app/process_actions.py",
        "lambda number: self._end(process, number)",
        "lambda number: self._end(screen.chosen or process, number)",
        ("tests/tui/screens/test_ending.py",),
    ),
    Fault(
        "from the list of GPUs a process ends that nobody sees chosen",
        "tui/app/process_actions.py",
        "None if screen.on_gpus else screen.chosen",
        "screen.chosen",
        ("tests/tui/screens/test_ending.py",),
    ),
    Fault(
        "who has no value comes first in a column of the largest",
        "tui/state/processes.py",
        "found = [row for _, row in known] + [row for it, row in valued if it is None]",
        "found = [row for it, row in valued if it is None] + [row for _, row in known]",
        _LIST,
    ),
    Fault(
        "a process on two GPUs stands in the tree once",
        "tui/state/processes.py",
        "return [replace(row, branch=branch.drawn) for row in here]",
        "return [replace(here[0], branch=branch.drawn)]",
        _LIST,
    ),
    Fault(
        "every shell and daemon above a process is in the tree",
        "tui/state/process_tree.py",
        "started = {line[0] for line in above.values() if line}",
        "started = {pid for line in above.values() for pid in line}",
        _LIST,
    ),
    Fault(
        "the order of the processes follows the cursor in it",
        "tui/screens/gpus.py",
        "            if gpus.active:\n",
        "            if True:\n",
        _KEYS,
    ),
    Fault(
        "another process is chosen when the order changes before somebody has moved",
        "tui/widgets/gpus/processes.py",
        "        self._choose(self._at(self._rows))\n",
        "",
        _KEYS,
    ),
    Fault(
        "the end of a long command stays out of sight",
        "tui/widgets/gpus/processes.py",
        "steps = -(-self._beyond // _SHIFT)",
        "steps = self._beyond // _SHIFT",
        _KEYS,
    ),
    Fault(
        "a GPU that is lost had no load",
        "tui/state/gpu_history.py",
        "load = None if gpu is None else gpu.gpu_utilization",
        "load = 0 if gpu is None else gpu.gpu_utilization or 0",
        _HISTORY,
    ),
    Fault(
        "a GPU that comes later has the past of those before it",
        "tui/state/gpu_history.py",
        "unknown = (None,) * len(before)",
        "unknown = ()",
        _HISTORY,
    ),
    Fault(
        "the chosen GPU's charts are out of sight",
        "tui/widgets/gpus/room.py",
        "first = max(0, min(chosen - chosen % shown, count - shown))",
        "first = 0",
        ("tests/tui/widgets/gpus/test_room.py",),
    ),
    Fault(
        "every second draws all charts",
        "tui/widgets/gpus/history_charts.py",
        "columns = _columns(own) * (now - axis.start) // axis.span",
        "columns = now",
        _CHARTS,
    ),
    Fault(
        "what is wrong with a GPU is told by colour alone",
        "tui/widgets/gpus/gpu_lines.py",
        "_LABEL = Style(reverse=True)",
        "_LABEL = Style()",
        _CHARTS,
    ),
)
