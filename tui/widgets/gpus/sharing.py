"""Panels that share the lines of the screen of GPUs."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol, TypeVar

from textual.geometry import Size
from vramtop.tui.widgets.panel import Panel

from .room import Shares, Wanted, shares


class Sharing(Protocol):
    """Facts of a panel that shares; `lines` are those that the lists want."""

    @property
    def lines(self) -> Wanted:
        """The lines wanted."""
        ...


_Shown = TypeVar("_Shown", bound=Sharing)


class SharingPanel(Panel[_Shown]):
    """A panel that has its share of the lines, and asks for another when the lists want others."""

    def __init__(self) -> None:
        super().__init__()
        self._wanted = Wanted()

    def draw_again(self) -> None:
        """Draw again; where the lists want other room than before, ask for it."""
        super().draw_again()
        lines = self._shown.lines if self._shown else Wanted()
        if lines != self._wanted:
            self._wanted = lines
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The share of this panel."""
        del viewport, width
        return self.share(shares(container.height, self._wanted))

    @abstractmethod
    def share(self, all_shares: Shares) -> int:
        """Which of the shares it has."""
