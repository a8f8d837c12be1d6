"""Widgets that are asked often what they look like, and seldom look any different."""

from __future__ import annotations

from textual.containers import Container
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget
from typing_extensions import Self

from .layer import Layer


class Still(Widget):
    """Renders again only what was refreshed.

    Whenever one widget has changed, Textual asks all that have room for their lines.
    """

    _rendered: list[Strip] | None = None
    _crop = Region()  # that was rendered

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Self:
        """Render these regions anew, or all."""
        self._rendered = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The same as the last time, unless something was refreshed since then."""
        if self._rendered is None or self._crop != crop:
            self._rendered, self._crop = super().render_lines(crop), crop
        return self._rendered


# By its first base, Textual's stylesheets know a widget.


class Room(Container, Still):
    """A container."""


class Page(Layer, Still):
    """A screen."""
