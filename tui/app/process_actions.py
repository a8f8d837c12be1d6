"""What keys and the mouse ask of the list of processes, on any screen that has it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from msgspec.structs import replace
from vramtop.protocol.gpus import GpuProcess
from vramtop.tui.state.processes import ProcessView, users

from .state_app import StateApp

if TYPE_CHECKING:
    from vramtop.tui.screens.gpus import GpuScreen
    from vramtop.tui.widgets.gpus.processes import ProcessTable

# The screens are imported when they are first opened.


class ProcessActions(StateApp):
    """Sorts and filters the list, and ends processes."""

    @property
    def gpu_screen(self) -> GpuScreen | None:
        """The screen of GPUs, where it is on top."""
        from vramtop.tui.screens.gpus import GpuScreen

        return self.screen if isinstance(self.screen, GpuScreen) else None

    @property
    def _view(self) -> ProcessView:
        return self.state.process_view

    def _list(self, view: ProcessView) -> None:
        self.show(replace(self.state, process_view=view))

    def action_sort_processes(self) -> None:
        """Sort by the next column."""
        self._list(self._view.sorted_by_next())

    def action_reverse_processes(self) -> None:
        """Sort the other way round."""
        self._list(self._view.sorted_by(self._view.by))

    def on_process_table_titled(self, message: ProcessTable.Titled) -> None:
        """Sort by the column that was clicked; a second click turns the order round."""
        self._list(self._view.sorted_by(message.column))

    def on_gpu_screen_placed(self, message: GpuScreen.Placed) -> None:
        """Let the processes of the GPU that was chosen come first."""
        if message.place != self._view.first:
            self._list(replace(self._view, first=message.place))

    def action_tree(self) -> None:
        """Each process below the one that started it, or no longer."""
        self._list(replace(self._view, tree=not self._view.tree))

    def action_next_user(self) -> None:
        """The processes of the next user alone; after the last those of all."""
        known = users(self.state.gpus) if self.state.gpus else []
        if not known:
            self.say("it is not known whose processes these are")
        self._list(self._view.of_next_user(known))

    def action_filter_processes(self) -> None:
        """Ask for words; only processes that have them are listed."""
        from vramtop.tui.screens.prompt import Prompt

        hint = "words in pid, user or command; nothing lists all processes"
        self.layers.open(Prompt("Filter", hint, self._view.words, str.strip, self._filter))

    def _filter(self, words: str) -> None:
        self._list(replace(self._view, words=words))

    def list_all(self) -> bool:
        """List the processes of all users, with any words; False where that is so already."""
        filtered = self._view.filtered
        self._list(replace(self._view, words="", user=None))
        return filtered

    def action_end_process(self) -> None:
        """Ask which signal the chosen process is to get."""
        from vramtop.tui.programs.signalled import CannotSignal, check
        from vramtop.tui.screens.ending import EndProcess

        screen = self.gpu_screen
        if screen is None:
            return
        process = None if screen.on_gpus else screen.chosen
        if process is None:
            self.say("tab goes to the processes: choose the one that is to end")
            return
        try:
            check(process.pid, process.started)
        except CannotSignal as refusal:
            self.say(str(refusal), severity="warning")
            return
        self.layers.open(EndProcess(process, lambda number: self._end(process, number)))

    def _end(self, process: GpuProcess, number: signal.Signals) -> None:
        from vramtop.tui.programs.signalled import CannotSignal, send

        try:
            send(process.pid, process.started, number)
        except CannotSignal as refusal:
            self.say(str(refusal), severity="warning")
        else:
            self.say(f"{number.name[3:]} was sent to process {process.pid}")
