"""An app whose screen and table can be saved."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime

from rich.console import Console

from .saving import CannotSave, save, table
from .state_app import StateApp


class SavingApp(StateApp):
    """Saves what stands on the screen as a picture and as text, and the table as CSV."""

    def action_save_screen(self) -> None:
        """Save what stands on the screen, as SVG and as text."""
        width, height = self.size
        console = Console(
            width=width,
            height=height,
            file=io.StringIO(),
            force_terminal=True,
            color_system="truecolor",
            record=True,
            legacy_windows=False,
            safe_box=False,
        )
        # As Textual's `export_screenshot` does it, which has no text.
        console.print(
            self.screen._compositor.render_update(full=True, screen_stack=self._background_screens)
        )
        picture = console.export_svg(title=self.title, clear=False)
        lines = [line.rstrip() for line in console.export_text().splitlines()]
        self._save({".svg": picture, ".txt": "\n".join(lines) + "\n"})

    def action_save_table(self) -> None:
        """Save the batch sizes visited as CSV."""
        if any(not visit.foretold for visit in self.state.visited):
            self._save({".csv": table(self.state.visited)})
        else:
            self.say("no batch size was measured yet")

    def _save(self, contents: Mapping[str, str]) -> None:
        try:
            self.say(f"saved {save(contents, datetime.now())}")
        except CannotSave as error:
            self.say(str(error), severity="error")
