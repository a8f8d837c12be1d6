"""The keys and what each does, for the bindings, the help and the command palette."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

Group = Literal["batch", "training", "processes", "look", "screen"]


class Key(msgspec.Struct, frozen=True):
    """A key, or several that do the same.

    `keys` are Textual's names, `shown` is what stands on the keyboard. `action` is the app's:
    `control('double')` is one of `tui.controls`, `ask('budget')` one of `screens.questions`. `name`
    stands in the command palette, and begins with what the key changes. `help` stands beside the
    key in the help, under the title of its `group`.
    """

    keys: str
    shown: str
    action: str
    name: str
    help: str
    group: Group


KEYS = (
    Key(
        "plus,equals_sign", "+ =", "control('double')",
        "Batch size: double", "double the batch size", "batch",
    ),
    Key("minus", "-", "control('halve')", "Batch size: halve", "halve the batch size", "batch"),
    Key(
        "right_square_bracket", "]", "control('more')",
        "Batch size: +10%", "a tenth more in a batch", "batch",
    ),
    Key(
        "left_square_bracket", "[", "control('less')",
        "Batch size: -10%", "a tenth less in a batch", "batch",
    ),
    Key("b", "b", "ask('batch_size')", "Batch size: type", "type a batch size", "batch"),
    Key(
        "m", "m", "control('find_largest')",
        "Batch size: find the largest", "find the largest that fits", "batch",
    ),
    Key(
        "M", "M", "control('recommended')",
        "Batch size: recommended", "take 0.8 of the largest", "batch",
    ),
    Key(
        "F", "F", "ask('comparison')",
        "Batch sizes: compare fairly", "compare sizes fairly", "batch",
    ),
    Key("a", "a", "ask('accumulation')", "Accumulation: type", "add up several batches", "batch"),
    Key("o", "o", "control('next_optimizer')", "Optimizer: next", "the next optimizer", "training"),
    Key("d", "d", "control('next_dataset')", "Dataset: other", "the other dataset", "training"),
    Key("w", "w", "ask('hidden')", "Hidden width: type", "type a hidden width", "training"),
    Key(
        "l", "l", "ask('learning_rate')",
        "Learning rate: type", "type a learning rate", "training",
    ),
    Key("v", "v", "ask('budget')", "Memory budget: type", "type a memory budget", "training"),
    Key(
        "0", "0", "control('restart')",
        "Training: fresh weights", "fresh weights, same settings", "training",
    ),
    Key("space", "space", "control('pause')", "Pause or go on", "pause, or go on", "training"),
    Key(
        "R", "R", "restart_worker",
        "Worker: another after its end", "after its end, another worker", "training",
    ),
    Key("full_stop", ".", "control('advance')", "One phase", "go on by one phase", "training"),
    Key("s", "s", "control('slow')", "Slow motion", "slow motion", "training"),
    Key("c", "c", "control('give_back')", "Cache: give back", "give the cache back", "training"),
    Key("right", "← →", "moment(1)", "Moment: next", "moment by moment", "look"),
    Key("down", "↑ ↓", "choose(1)", "Category: next", "a category's tensors", "look"),
    Key("escape", "esc", "leave", "Back to the whole", "back to the whole", "look"),
    Key("z", "z", "scale", "Scale of the split bar", "scale of the split bar", "look"),
    Key("y", "y", "trends", "Trends or anatomy", "trends, or the anatomy", "look"),
    Key("x", "x", "trade", "Trade between batch sizes", "what sizes give and take", "look"),
    Key("i", "i", "image", "Image and model", "an image, and the model", "look"),
    Key("n", "n", "next_image", "Image: another", "another image", "look"),
    Key("g", "g", "gpus", "GPUs and their processes", "all GPUs, their processes", "look"),
    Key("t", "t", "theme", "Theme: next", "the next theme", "screen"),
    Key("p", "p", "layout", "Layout: next", "all, memory or charts", "screen"),
    Key("r", "r", "refresh", "Refresh rate: next", "refreshes a second", "screen"),
    Key("S", "S", "save_screen", "Screen: save", "save the screen: SVG, text", "screen"),
    Key("C", "C", "save_table", "Batch sizes: save the table", "save the table: CSV", "screen"),
    Key("question_mark", "?", "help", "Help", "keys and words", "screen"),
    Key("T", "T", "tour", "Guided tour", "a guided tour", "screen"),
    Key("q", "q", "quit", "Quit", "quit", "screen"),
)  # fmt: skip
LOOK_KEY = Key(
    "enter", "enter", "look_inside", "Process: look inside", "look inside a process", "look"
)
# Those for the list of processes, which the screen of GPUs has over a training too.
PROCESS_KEYS = (
    Key("s", "s", "sort_processes", "Processes: sort", "sort by the next column", "processes"),
    Key(
        "R", "R", "reverse_processes",
        "Processes: the other way round", "the other way round", "processes",
    ),
    Key("slash", "/", "filter_processes", "Processes: filter", "filter by words", "processes"),
    Key("u", "u", "next_user", "Processes: next user's", "only the next user's", "processes"),
    Key("t", "t", "tree", "Processes: tree", "a tree, by who started whom", "processes"),
    Key("K", "K", "end_process", "Processes: end", "end one: INT, TERM, KILL", "processes"),
)  # fmt: skip
OUTPUT_KEY = Key("f", "f", "output", "Output: full size", "the program's output", "look")
TYPE_KEY = Key("i", "i", "type_line", "Input: type a line", "type a line to the program", "look")
NEXT_KEY = Key("n", "n", "next_program", "Device or rank: next", "the next device, or rank", "look")
LIST_KEYS = (
    Key("m", "m", "list_what", "List: modules, lines, shapes", "modules, lines, or shapes", "look"),
    Key("s", "s", "list_by", "List: sort", "sort them by the next column", "look"),
    Key(
        "right_square_bracket", "] [", "list_depth(1)",
        "List: modules deeper", "modules within modules", "look",
    ),
)  # fmt: skip
_BACK_KEYS = (
    Key("escape", "esc", "leave", "Back to the whole", "the whole, then the GPUs", "look"),
    Key("q", "q", "quit", "Program: leave it as it was", "back to the GPUs", "screen"),
)
_PROGRAM_ACTIONS = (
    "moment(1)", "choose(1)", "leave", "scale", "trends", "gpus",
    "theme", "layout", "refresh", "save_screen", "help", "quit",
)  # fmt: skip
_GPU_ACTIONS = ("refresh", "save_screen", "help", "quit")
# The keys for a program that is watched, those where it is looked into from the GPUs, and those on
# the GPUs: of the app, and with those of the screen.
PROGRAM_KEYS = tuple(key for key in KEYS if key.action in _PROGRAM_ACTIONS)
INSIDE_KEYS = (
    NEXT_KEY,
    *LIST_KEYS,
    *(key for key in PROGRAM_KEYS if key.action not in ("leave", "gpus", "quit")),
    *_BACK_KEYS,
)
# On the GPUs t shows the tree.
THEME_KEY = Key("T", "T", "theme", "Theme: next", "the next theme", "screen")
GPU_APP_KEYS = (
    LOOK_KEY,
    Key("space", "space", "hold", "Picture: hold or go on", "hold the picture, or go on", "look"),
    THEME_KEY,
    *(key for key in KEYS if key.action in _GPU_ACTIONS),
)
GPU_KEYS = (*PROCESS_KEYS, *GPU_APP_KEYS)


def grouped(keys: Sequence[Key]) -> dict[Group, list[Key]]:
    """The keys by their groups, without groups that have none."""
    groups: dict[Group, list[Key]] = {group: [] for group in get_args(Group)}
    for key in keys:
        groups[key.group].append(key)
    return {group: members for group, members in groups.items() if members}
