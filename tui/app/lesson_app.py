"""The app on a training: its main screen, its worker, and the actions of its keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.screen import ModalScreen
from textual.worker import Worker
from vramtop.protocol.lesson.messages import Configured, Picture
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import PACE_SECONDS, Answer, Failed
from vramtop.tui.controls import runs, settings
from vramtop.tui.controls.reply import no_training, not_lesson
from vramtop.tui.screens import main
from vramtop.tui.state.lesson import successor
from vramtop.tui.state.lesson.facts import Lesson
from vramtop.tui.state.state import State
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.terminal.exits import BAD_USAGE
from vramtop.tui.widgets.headlines import SUCCESSOR_KEY
from vramtop.tui.widgets.runs.trade import TradeChart
from vramtop.tui.widgets.runs.visited import VisitedTable
from vramtop.tui.widgets.step.split_bar import SplitBar
from vramtop.tui.words.keys import KEYS, PROCESS_KEYS, PROGRAM_KEYS, THEME_KEY, Key
from vramtop.tui.worker.link import Link, Received, Watch, WorkerGone, WorkerLine

from .config import Config
from .requests import Requests
from .saving import table
from .state_app import FULL, NO_CONFIG
from .step_app import StepApp
from .training import Training

if TYPE_CHECKING:
    from vramtop.tui.screens.questions import Question


class VramtopApp(StepApp):
    """Shows the lesson's training, or without `settings` another program.

    `start` starts the worker, and `watch` starts the sampler of the GPUs; both are called once the
    first frame is drawn. With `tour` the guided tour begins by itself.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        # Priority: a prompt opens before the next key is handled, since that key is for the prompt.
        *(
            Binding(
                key.keys, key.action, key.help, show=False, priority=key.action.startswith("ask(")
            )
            for key in KEYS
        ),
        # In the help they stand beside right and down.
        Binding("left", "moment(-1)", "The moment before", show=False),
        Binding("up", "choose(-1)", "The category above", show=False),
    ]

    def __init__(
        self,
        settings: Settings | None,
        start: Callable[[], Awaitable[Link]],
        watch: Callable[[], Watch] | None = None,
        terminal: Terminal = FULL,
        config: Config = NO_CONFIG,
        *,
        tour: bool = False,
    ) -> None:
        super().__init__(
            State(lesson=Lesson(settings) if settings else None), watch, terminal, config
        )
        self._tour = tour
        self.usage_error: str | None = None
        self.printed: list[str] = []  # lines of the worker before its first step
        self.training = Training(start)
        self.requests = Requests(self)
        self._listener: Worker[None] | None = None

    # ---- the main screen --------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """The parts of the main screen."""
        # The screen has its classes before it has parts, so that these are styled only once.
        main.resize(self.screen, self.size)
        yield from main.parts()

    def on_mount(self) -> None:
        """Leave no place for the lesson's panels where another program runs."""
        self.screen_stack[0].set_class(self.state.lesson is None, "other")

    def on_resize(self, event: Resize) -> None:
        """Show the parts that the main screen has room for."""
        main.resize(self.screen_stack[0], event.size)

    # ---- the worker -------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the worker, and look at the GPUs."""
        # The training rests while the monitor is suspended. It is asked to at once: a suspended
        # process does nothing.
        self.app_suspend_signal.subscribe(self, lambda _: self._rest(), immediate=True)
        self.app_resume_signal.subscribe(self, lambda _: self._wake())
        # An error in `_listen` ends the app with its traceback.
        self._listener = self.run_worker(self._listen())
        super().begin()
        if self._tour:
            self.call_later(self.action_tour)

    async def _listen(self) -> None:
        try:
            commands, messages = await self.training.start()
        except OSError as error:
            self.receive(Failed(f"the worker does not start: {error}", usage=False))
            return
        if self.painter.seconds != PACE_SECONDS:
            commands.pace(self.painter.seconds)
        async for envelope in messages:
            self.receive(envelope.message)

    def _rest(self) -> None:
        if self.training.commands is not None:
            self.training.commands.rest()

    def _wake(self) -> None:
        if self.training.commands is not None:
            self.training.commands.wake()

    def react(self, before: State, message: Received) -> None:
        """Act on a message that is already in the state."""
        super().react(before, message)
        if self.training.commands is not None:
            self.training.commands.hear(message)
        match message:
            case Failed(usage=True) if before.sample is None:
                self.usage_error = message.error
                self.exit(return_code=BAD_USAGE)
            case Failed() | WorkerGone() if self.training.started and self.state.lesson:
                self.state = successor.offered(self.state, self.training.kept)
            case WorkerLine() if before.sample is None:
                self.printed.append(message.text)
            case Answer(error=str(error)):
                self.say(error, severity="error")
            case Configured() if _picture(before) is not None and not _picture(self.state):
                self._show_image()  # the dataset has changed
            case _:
                pass

    async def on_unmount(self) -> None:
        """End the worker, however the app ends."""
        if self._listener is not None:
            self._listener.cancel()
        await self.training.close()

    def action_restart_worker(self) -> None:
        """Start another worker after one that has ended, from the last snapshot."""
        if refusal := not_lesson(self.state):
            self.requests.answer(refusal)
            return
        if not self.state.over:
            self.say(f"{SUCCESSOR_KEY} is for when the worker has ended")
            return
        self.show(successor.started(self.state, self.training.kept))
        if self.training.started:
            self.training.restart()
        else:
            self._listener = self.run_worker(self._listen())

    def action_refresh(self) -> None:
        """The next refresh rate; the worker sends no more samples than are shown."""
        super().action_refresh()
        if self.training.commands is not None:
            self.training.commands.pace(self.painter.seconds)

    # ---- what is asked of the training ------------------------------------------------------

    def action_control(self, name: str) -> None:
        """Use one of the controls."""
        self.requests.use_named(name)

    def action_ask(self, name: Question | Literal["comparison"]) -> None:
        """Open a prompt for a setting, or for batch sizes to compare."""
        self.requests.ask(name)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Open no prompt over a dialog, which has keys of its own."""
        del parameters
        return action != "ask" or not isinstance(self.screen, ModalScreen)

    def on_visited_table_chosen(self, event: VisitedTable.Chosen) -> None:
        """Go back to a batch size that was tried before."""
        self.requests.use(settings.revisit, event.batch_size, event.accumulation)

    def _move_training(self, place: int) -> None:
        """Move the training to the GPU at this place among the GPUs."""
        from vramtop.tui.worker.launch import environment

        self.requests.use(runs.move, place, environment())

    def _show_image(self, index: int | None = None) -> None:
        self.requests.use(runs.show_image, index)

    def action_save_table(self) -> None:
        """Save the batch sizes visited as CSV."""
        lesson = self.state.lesson
        if lesson is None:
            self.requests.answer(not_lesson(self.state))
        elif any(not visit.predicted for visit in lesson.visited):
            self.save({".csv": table(lesson.visited)})
        else:
            self.say("no batch size was measured yet")

    # ---- what is looked at ------------------------------------------------------------------

    def action_leave(self) -> None:
        """Call off a search or a comparison; else leave the moment; else the category."""
        if not runs.call_off(self.state, self.training.commands):
            super().action_leave()

    def action_trade(self) -> None:
        """The trade between batch sizes instead of the anatomy, or back."""
        if refusal := not_lesson(self.state):
            self.requests.answer(refusal)
        else:
            self.show_instead("trade", "trends", TradeChart)

    def action_gpus(self) -> None:
        """All GPUs; from there the training can move to another one."""
        from vramtop.tui.screens.gpus import GpusOverProgram, TrainingGpus

        training = self.state.lesson is not None
        self.layers.open(TrainingGpus(self._move_training) if training else GpusOverProgram())

    def action_image(self) -> None:
        """A training image on its way to the model, and where the batch size enters."""
        from vramtop.tui.screens.image import ImageScreen

        if refusal := no_training(self.state):
            self.requests.answer(refusal)
            return
        self.layers.open(ImageScreen(self._show_image))
        if _picture(self.state) is None:
            self._show_image()

    def action_next_image(self) -> None:
        """Another image; if none is shown, open the screen that shows them."""
        from vramtop.tui.screens.image import ImageScreen

        if isinstance(self.screen, ImageScreen):
            self._show_image()
        else:
            self.action_image()

    @property
    def keys(self) -> Sequence[Key]:
        """The keys that mean something for the program that is shown."""
        return KEYS if self.state.lesson is not None else PROGRAM_KEYS

    def action_help(self) -> None:
        """What the keys do and what the words mean."""
        from vramtop.tui.screens.help import OVER_TRAINING_KEYS, Help, about_program
        from vramtop.tui.words import vocabulary as words

        if self.gpu_screen is not None:
            self.layers.open(Help((*PROCESS_KEYS, THEME_KEY), (OVER_TRAINING_KEYS,)))
            return
        lesson = words.READING, words.WORDS
        sections = lesson if self.state.lesson is not None else about_program(self.state)
        self.layers.open(Help(self.keys, sections))

    def action_tour(self) -> None:
        """A guided tour of the main screen, on the training that runs."""
        lesson = self.state.lesson
        if lesson is None:
            self.requests.answer(not_lesson(self.state))
            return
        from vramtop.tui.tour.guide import Guide
        from vramtop.tui.tour.panel import begin_tour

        self.layers.close_all()
        self.screen_stack[0].query_one(SplitBar).usual_scale()
        begin_tour(self.screen, Guide(lesson.settings, lambda: self.training.commands))
        self.painter.paint_anew(self.state)


def _picture(state: State) -> Picture | None:
    return state.lesson.picture if state.lesson else None
