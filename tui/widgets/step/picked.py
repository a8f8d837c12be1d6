"""A category was clicked."""

from __future__ import annotations

from textual.message import Message
from vramtop.protocol.split import Category


class Picked(Message):
    """Where this category stands, somebody clicked."""

    def __init__(self, category: Category) -> None:
        super().__init__()
        self.category = category
