"""What the help says: the words of the screen, and how to read its parts, one line for each."""

from __future__ import annotations

import msgspec
from vramtop.protocol.split import CATEGORIES, Category

from .wording import NAMES


class Entry(msgspec.Struct, frozen=True):
    """A word and the text that explains it; a category's word has its glyph before it.

    Below the word stands a `figure`, where there is one.
    """

    word: str
    text: str
    category: Category | None = None
    figure: str = ""


class Section(msgspec.Struct, frozen=True):
    """Entries under one title."""

    title: str
    entries: tuple[Entry, ...]


_CATEGORIES: dict[Category, str] = {
    "parameters": "weights and biases, 4 bytes each",
    "gradients": "4 bytes a parameter, made by backward",
    "optimizer_state": "0, 4 or 8 bytes a parameter, always kept",
    "batch_data": "images and targets of one batch, in bytes",
    "activations": "what forward keeps for backward, in bytes",
    "temporaries": "what lives for a moment of a step, in bytes",
}

READING = Section(
    "reading the bars",
    (
        Entry("upper bar", "the device or its budget, and who holds it"),
        Entry("lower bar", "one training step; its scale is at the right"),
        Entry("rows", "bytes beside the formula's; why they differ"),
        Entry("✓", "formula and measurement are equal to the byte"),
        Entry("anatomy", "a column for each allocation or release"),
        Entry("held", "paused or slow: the bytes at a phase's end"),
        Entry("▸ or !", "what changed last, or what went wrong"),
    ),
)

READING_PROGRAM = Section(
    "reading the bars",
    (
        Entry("upper bar", "the device's memory, and who holds it"),
        Entry("lower bar", "one step; its scale is at the right"),
        Entry("rows", "bytes beside those one expects; why they differ"),
        Entry("✓", "expected and measured bytes are equal"),
        Entry("anatomy", "the step's memory, each column its largest"),
        Entry("▸ or !", "what changed last, or what went wrong"),
    ),
)

WORDS_PROGRAM = Section(
    "words",
    (
        Entry("parameters", "with buffers, trained or frozen", "parameters"),
        Entry("gradients", "what parameters hold as their .grad", "gradients"),
        Entry("optimizer state", "what optimizers keep from step to step", "optimizer_state"),
        Entry("batch data", "what goes into the model, and load makes", "batch_data"),
        Entry("activations", "what forward keeps until backward begins", "activations"),
        Entry("temporaries", "what else was made within the step", "temporaries"),
        Entry("other", "older than the step, and nobody's", "other"),
        Entry("watched step", "one that was recorded from inside the program"),
        Entry("watching", "what it takes of the program's time"),
        Entry("kind", "training, or inference: calls without backward"),
        Entry("load", "what happens between steps and before the model"),
        Entry("peak", "a step's moment with the most bytes"),
        Entry("high water", "a category's own largest bytes in a step"),
        Entry("↻", "a module that backward runs again (checkpointed)"),
        Entry("room", "how many rows of a batch would fit: an estimate"),
        Entry("expected", "elements × bytes of what there is to hold"),
        Entry("reserved", "bytes that the allocator has from the driver"),
        Entry("cache", "reserved less allocated: bytes kept for later"),
        Entry("rounding", "bytes added to fill the allocator's blocks"),
        Entry("workspace", "bytes that cuBLAS keeps for itself for good"),
        Entry("context", "bytes that a process itself takes on a GPU"),
    ),
)

WORDS = Section(
    "words",
    (
        *(Entry(NAMES[name].lower(), _CATEGORIES[name], name) for name in CATEGORIES),
        Entry("split", "bytes by category at one moment"),
        Entry("boundary", "the end of a phase; steps can be held there"),
        Entry("anatomy", "a step, split at each allocation and release"),
        Entry("peak", "a step's moment with the most bytes"),
        Entry("high water", "a category's own largest bytes in a step"),
        Entry("formula", "the textbook's bytes, from the settings alone"),
        Entry("allocated", "bytes in use, by the device's allocator"),
        Entry("reserved", "bytes that the allocator has from the driver"),
        Entry("cache", "reserved less allocated: bytes kept for later"),
        Entry("rounding", "bytes added to fill the allocator's blocks"),
        Entry("workspace", "bytes that cuBLAS keeps for itself for good"),
        Entry("context", "bytes that a process itself takes on a GPU"),
        Entry("budget", "your limit in bytes; more is out of memory"),
        Entry("noise scale", "the batch beyond which more images gain little"),
        Entry("settled", "measured with the optimizer's state in place"),
    ),
)
