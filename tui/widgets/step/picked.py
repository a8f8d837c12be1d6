"""The message that a category was clicked."""

from __future__ import annotations

from textual.message import Message
from vramtop.protocol.split import Category


class Picked(Message):
    """This category was clicked."""

    def __init__(self, category: Category) -> None:
        super().__init__()
        self.category = category
