"""The keys: what each does, for the bindings, the help and the palette."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

Group = Literal["batch", "training", "look", "screen"]


class Key(msgspec.Struct, frozen=True):
    """`keys` as Textual names them, `shown` as they stand on the keyboard.

    `name` is for the palette, where one looks for what is to change.
    """

    keys: str
    shown: str
    action: str
    name: str
    told: str


KEYS = (
    Key("plus,equals_sign", "+ =", "double", "Batch size: double", "double the batch size"),
    Key("minus", "-", "halve", "Batch size: halve", "halve the batch size"),
    Key("right_square_bracket", "]", "more", "Batch size: +10%", "a tenth more in a batch"),
    Key("left_square_bracket", "[", "less", "Batch size: -10%", "a tenth less in a batch"),
    Key("b", "b", "type_batch_size", "Batch size: type", "type a batch size"),
    Key("m", "m", "find_largest", "Batch size: find the largest", "find the largest that fits"),
    Key("M", "M", "recommended", "Batch size: recommended", "take 0.8 of the largest"),
    Key("F", "F", "type_comparison", "Batch sizes: compare fairly", "compare sizes fairly"),
    Key("a", "a", "type_accumulation", "Accumulation: type", "add up several batches"),
    Key("o", "o", "next_optimizer", "Optimizer: next", "the next optimizer"),
    Key("d", "d", "next_dataset", "Dataset: other", "the other dataset"),
    Key("w", "w", "type_hidden", "Hidden width: type", "type a hidden width"),
    Key("l", "l", "type_learning_rate", "Learning rate: type", "type a learning rate"),
    Key("v", "v", "type_budget", "Memory budget: type", "type a memory budget"),
    Key("0", "0", "restart", "Training: fresh weights", "fresh weights, same settings"),
    Key("space", "space", "pause", "Pause or go on", "pause, or go on"),
    Key(
        "R", "R", "restart_worker", "Worker: another after its end", "after its end, another worker"
    ),
    Key("full_stop", ".", "advance", "One phase", "go on by one phase"),
    Key("s", "s", "slow", "Slow motion", "slow motion"),
    Key("c", "c", "give_back", "Cache: give back", "give the cache back"),
    Key("right", "← →", "moment_after", "Moment: next", "moment by moment"),
    Key("down", "↑ ↓", "choose_below", "Category: next", "a category's tensors"),
    Key("escape", "esc", "leave", "Back to the whole", "back to the whole"),
    Key("z", "z", "scale", "Scale of the split bar", "scale of the split bar"),
    Key("y", "y", "trends", "Trends or anatomy", "trends, or the anatomy"),
    Key("x", "x", "trade", "Trade between batch sizes", "what sizes give and take"),
    Key("i", "i", "image", "Image and model", "an image, and the model"),
    Key("n", "n", "next_image", "Image: another", "another image"),
    Key("g", "g", "gpus", "GPUs and their processes", "all GPUs, their processes"),
    Key("t", "t", "theme", "Theme: next", "the next theme"),
    Key("p", "p", "layout", "Layout: next", "all, memory or charts"),
    Key("r", "r", "refresh", "Refresh rate: next", "refreshes a second"),
    Key("S", "S", "save_screen", "Screen: save", "save the screen: SVG, text"),
    Key("C", "C", "save_table", "Batch sizes: save the table", "save the table: CSV"),
    Key("question_mark", "?", "help", "Help", "keys and words"),
    Key("T", "T", "tour", "Guided tour", "a guided tour"),
    Key("q", "q", "quit", "Quit", "quit"),
)
# Those that mean something where nothing is trained.
LOOKING = tuple(
    key for key in KEYS if key.action in ("theme", "refresh", "save_screen", "help", "quit")
)

_GROUPS: dict[str, Group] = {
    **dict.fromkeys(("double", "halve", "more", "less", "type_batch_size"), "batch"),
    **dict.fromkeys(("type_accumulation", "type_comparison"), "batch"),
    "restart": "training",
    **dict.fromkeys(("find_largest", "recommended"), "batch"),
    **dict.fromkeys(("next_optimizer", "next_dataset", "type_hidden"), "training"),
    **dict.fromkeys(("type_learning_rate", "type_budget", "pause", "advance"), "training"),
    **dict.fromkeys(("slow", "give_back", "restart_worker"), "training"),
    **dict.fromkeys(("theme", "layout", "refresh", "help", "tour", "quit"), "screen"),
    **dict.fromkeys(("save_screen", "save_table"), "screen"),
}


def grouped(keys: Sequence[Key]) -> dict[Group, list[Key]]:
    """The keys by what they are for; those of no other group choose what is looked at."""
    groups: dict[Group, list[Key]] = {group: [] for group in get_args(Group)}
    for key in keys:
        groups[_GROUPS.get(key.action, "look")].append(key)
    return {group: members for group, members in groups.items() if members}
