"""Widgets that keep their rendered lines, for which Textual asks more often than they change."""

from __future__ import annotations

from textual.containers import Container
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget
from typing_extensions import Self

from .stacked_screen import StackedScreen


class CachedWidget(Widget):
    """Renders its lines only after it was refreshed.

    Textual asks all visible widgets for their lines whenever one of them has changed.
    """

    _rendered: list[Strip] | None = None
    _crop = Region()  # the region that was rendered

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Self:
        """Render these regions again, or all."""
        self._rendered = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The same as the last time, unless something was refreshed since then."""
        if self._rendered is None or self._crop != crop:
            self._rendered, self._crop = self._render_again(crop), crop
        return self._rendered

    def _render_again(self, crop: Region) -> list[Strip]:
        return super().render_lines(crop)


# `CachedWidget` is not the first base, since Textual's stylesheets go by that one.


class CachedContainer(Container, CachedWidget):
    """A container that keeps its lines."""


class CachedScreen(StackedScreen, CachedWidget):
    """A screen that keeps its lines."""
