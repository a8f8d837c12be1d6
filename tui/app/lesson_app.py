"""The monitor: messages of the worker in, commands out; what is shown follows from the state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.screen import ModalScreen
from textual.worker import Worker
from vramtop.protocol.lesson.messages import Configured, Evaluated, Noise
from vramtop.protocol.lesson.settings import DATASETS, OPTIMIZERS, Settings
from vramtop.protocol.messages import PACE_SECONDS, Answer, Failed, Measured, Sample
from vramtop.tui.gpus.cards import CardsReport
from vramtop.tui.screens.room import TooSmall, fit
from vramtop.tui.state import fair, successor
from vramtop.tui.state.state import State
from vramtop.tui.terminal.capabilities import Terminal
from vramtop.tui.terminal.exits import BAD_USAGE
from vramtop.tui.widgets.gpus.device import DeviceBar
from vramtop.tui.widgets.lines import Foot, KeyLine, Log, NewsLine
from vramtop.tui.widgets.panel import Panel
from vramtop.tui.widgets.runs.trade import TradeChart
from vramtop.tui.widgets.runs.trends import Trends
from vramtop.tui.widgets.runs.visited import VisitedTable
from vramtop.tui.widgets.status import StatusLine
from vramtop.tui.widgets.step.anatomy import AnatomyChart
from vramtop.tui.widgets.step.brief import Brief
from vramtop.tui.widgets.step.layers import LayerTable
from vramtop.tui.widgets.step.rows import Rows
from vramtop.tui.widgets.step.split_bar import SplitBar
from vramtop.tui.widgets.step.tensors import TensorTable
from vramtop.tui.widgets.still import Room
from vramtop.tui.words import wording
from vramtop.tui.words.keys import KEYS
from vramtop.tui.worker.commands import Commands
from vramtop.tui.worker.link import Link, Received, Watch, WorkerGone, WorkerLine
from vramtop.tui.worker.sweep_plan import Plan

from .choosing import ChoosingApp
from .config import Config
from .saving_app import SavingApp
from .state_app import FULL, NO_CONFIG
from .walking_app import WalkingApp

if TYPE_CHECKING:
    from vramtop.tui.screens.questions import Question


_LEAST = (40, 6)  # columns and lines that the main screen needs


def _asks(action: str) -> bool:
    return action.startswith("type_")


class VramtopApp(WalkingApp, ChoosingApp, SavingApp):
    """The screen.

    `start` brings the worker to life, `watch` looks at the GPUs; both are called once the first
    frame stands. With `tour` the guided tour begins by itself.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            # A question stands before the next key is looked at, which may be for it.
            Binding(key.keys, key.action, key.told, show=False, priority=_asks(key.action))
            for key in KEYS
        ),
    ]
    KEYS = KEYS

    def __init__(
        self,
        settings: Settings,
        start: Callable[[], Awaitable[Link]],
        watch: Callable[[], Watch] | None = None,
        terminal: Terminal = FULL,
        config: Config = NO_CONFIG,
        *,
        tour: bool = False,
    ) -> None:
        super().__init__(State(settings), watch, terminal, config)
        self._tour = tour
        self.usage_error: str | None = None
        self.printed: list[str] = []  # by the worker, before its first step
        self._start = start
        self._link: Link | None = None
        self._commands: Commands | None = None
        self._listener: Worker[None] | None = None

    # ---- the picture ------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        yield TooSmall()
        yield StatusLine()
        yield DeviceBar()
        yield SplitBar()
        with Room(id="table"):
            yield Rows()
            yield LayerTable()
        yield Brief()
        with Room(id="body"):
            yield AnatomyChart()
            yield TradeChart()
            yield Trends()
            yield TensorTable()
        with Room(id="lower"):
            yield VisitedTable()
            yield Log()
        yield NewsLine()
        yield KeyLine()
        yield Foot()

    def on_resize(self, event: Resize) -> None:
        """Choose what the main screen has room for."""
        fit(self.screen_stack[0], event.size, _LEAST)

    def show_state(self) -> None:
        """Tell every panel; a card has more lines than another device."""
        device = self.state.device
        self.screen_stack[0].set_class(device is not None and device.name != "cpu", "gpu")
        super().show_state()

    # ---- the worker -------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the worker, and look at the GPUs."""
        # A mistake of ours in there ends the app with its traceback, not in silence.
        self._listener = self.run_worker(self._listen())
        super().begin()
        if self._tour:
            self.call_later(self.action_tour)

    async def _listen(self) -> None:
        try:
            link = self._link = await self._start()
        except OSError as error:
            self.receive(Failed(f"the worker does not start: {error}", usage=False))
            return
        commands = self._commands = Commands(link)
        if self._seconds != PACE_SECONDS:
            commands.pace(self._seconds)
        # Whoever suspends the monitor wants the device to rest too; afterwards is too late to ask.
        self.app_suspend_signal.subscribe(self, lambda _: commands.rest(), immediate=True)
        self.app_resume_signal.subscribe(self, lambda _: commands.wake())
        async for message in link.messages():
            self.receive(message)

    def receive(self, message: Received) -> None:
        """Fold a message in; what one waits for is painted at once."""
        before = self.state
        super().receive(message)
        if self._commands is not None:
            self._commands.hear(message)
        match message:
            case Failed(usage=True) if before.sample is None:
                self.usage_error = message.error
                self.exit(return_code=BAD_USAGE)
                return
            case WorkerLine() if before.sample is None:
                self.printed.append(message.text)
            case Answer(error=str(error)):
                self.say(error, severity="error")
            case Configured() if before.picture is not None and self.state.picture is None:
                self._show_image()  # of the dataset that is in force now
            case Failed() | WorkerGone() if self._link is not None:
                self.state = successor.offered(self.state, self._link.kept)
            case _:
                pass
        if _urgent(before, self.state, message):
            self.paint()

    def action_refresh(self) -> None:
        """Paint more or less often; samples that come in between would not be seen."""
        super().action_refresh()
        if self._commands is not None:
            self._commands.pace(self._seconds)

    async def on_unmount(self) -> None:
        """However the app ends, its worker ends with it."""
        if self._listener is not None:
            self._listener.cancel()
        if self._link is not None:
            await self._link.close()

    # ---- commands ---------------------------------------------------------------------------

    def _trained(self) -> Commands | None:
        """Where commands go, once there is a training to command."""
        if self.state.configured is None or self.state.over:
            starting = self.state.life == "starting"
            told = "the worker is still starting" if starting else "there is no training any more"
            self.say(told, severity="warning")
            return None
        return self._commands

    @property
    def _base(self) -> Settings:
        """What the next change starts from."""
        settings = self.state.settings
        return self._commands.base(settings) if self._commands else settings

    def on_visited_table_chosen(self, event: VisitedTable.Chosen) -> None:
        """Go on with a batch size that was tried before."""
        if event.accumulation == self._base.accumulation:
            self._resize_batch(event.batch_size)
        else:
            self._change(batch_size=event.batch_size, accumulation=event.accumulation)

    def _change(self, **values: Any) -> None:  # noqa: ANN401 - of each field's type
        if commands := self._trained():
            before = self._base
            commands.change(self.state.settings, **values)
            if self.state.held is not None:
                told = wording.change(before, self._base)
                self.say(f"{told} from the next step on" if told else "nothing to change")

    def _resize_batch(self, size: int) -> None:
        """Ask for a batch of this size, or of the nearest that can be."""
        configured, base = self.state.configured, self._base
        if configured is None or self.state.over:
            self._change(batch_size=size)
            return
        images = configured.data.train_images
        possible = max(1, min(size, images // base.accumulation))
        if possible != base.batch_size:
            self._change(batch_size=possible)
        elif possible == size:
            self.say(wording.already(base, self.state.settings))
        else:
            self.say("a batch of 1 is one image" if size < 1 else wording.limit(base, images))

    def action_double(self) -> None:
        """Twice the batch size."""
        self._resize_batch(self._base.batch_size * 2)

    def action_halve(self) -> None:
        """Half the batch size."""
        self._resize_batch(self._base.batch_size // 2)

    def action_more(self) -> None:
        """A tenth more in a batch, at least one."""
        size = self._base.batch_size
        self._resize_batch(size + max(1, size // 10))

    def action_less(self) -> None:
        """A tenth less in a batch, at least one."""
        size = self._base.batch_size
        self._resize_batch(size - max(1, size // 10))

    def action_find_largest(self) -> None:
        """Find the largest batch size that fits."""
        if commands := self._trained():
            if self.state.searching:
                self.say("the search is still on; escape calls it off")
                return
            self.say("finding the largest batch; escape calls the search off")
            commands.find_largest()

    def action_recommended(self) -> None:
        """Take four fifths of the largest batch size that was found."""
        if self.state.found is None:
            self.say("first find the largest batch with m")
            return
        self._resize_batch(self.state.found.recommended_batch_size)

    def action_next_optimizer(self) -> None:
        """The next optimizer, with its own learning rate unless one was typed."""
        here = OPTIMIZERS.index(self._base.optimizer)
        self._change(optimizer=OPTIMIZERS[(here + 1) % len(OPTIMIZERS)])

    def action_next_dataset(self) -> None:
        """The other dataset."""
        here = DATASETS.index(self._base.dataset)
        self._change(dataset=DATASETS[(here + 1) % len(DATASETS)])

    def action_type_batch_size(self) -> None:
        """Ask for a batch size."""
        self._ask("batch_size")

    def action_type_comparison(self) -> None:
        """Ask for batch sizes to be compared from fresh weights."""
        if self.state.searching or self.state.comparing:
            self.say("one search or comparison at a time; escape calls it off")
            return
        self._ask("comparison")

    def action_type_accumulation(self) -> None:
        """Ask how many batches a step adds up."""
        self._ask("accumulation")

    def action_type_hidden(self) -> None:
        """Ask for a hidden width."""
        self._ask("hidden")

    def action_type_learning_rate(self) -> None:
        """Ask for a learning rate."""
        self._ask("learning_rate")

    def action_type_budget(self) -> None:
        """Ask for a memory budget."""
        self._ask("budget")

    def _ask(self, name: Question | Literal["comparison"]) -> None:
        """Ask for a setting; what is typed right after its key is for the answer already."""
        configured = self.state.configured
        if self._trained() is None or configured is None:
            return
        # The screens over this one are imported when they are first wanted, not before the first
        # frame.
        from vramtop.tui.screens.questions import comparison, question

        images = configured.data.train_images
        if name == "comparison":
            suggested = fair.sizes(self._base, self.state.visited, images)
            prompt = comparison(self._base, suggested, images, self._compare)
        else:
            prompt = question(name, self._base, images, partial(self._accept, name))
        self.open(prompt)

    def _accept(self, name: str, value: float | None) -> None:
        self._change(**{name: value})

    def _compare(self, plan: Plan) -> None:
        if commands := self._trained():
            self.say(f"{fair.asked(plan)}; escape calls it off")
            commands.compare(plan)

    def action_restart(self) -> None:
        """Fresh weights, the same settings."""
        if commands := self._trained():
            commands.restart(self.state.settings)

    def action_restart_worker(self) -> None:
        """Another worker after one that has ended, from the last snapshot."""
        if not self.state.over:
            self.say(f"{successor.KEY} is for when the worker has ended")
            return
        kept = self._link.kept if self._link is not None else None
        self.state = successor.started(self.state, kept)
        self.paint()
        if self._link is None:
            self._listener = self.run_worker(self._listen())
        else:
            self._link.restart()

    def action_pause(self) -> None:
        """Hold the training, or let it go on."""
        if commands := self._trained():
            commands.pause()

    def action_advance(self) -> None:
        """Go on by one phase, and hold there."""
        if commands := self._trained():
            commands.advance()

    def action_slow(self) -> None:
        """Slow motion, or full speed again."""
        if commands := self._trained():
            commands.slow()

    def action_leave(self) -> None:
        """Out of a search or a comparison, then from a moment to the step, then from a category."""
        busy = self.state.searching or self.state.comparing is not None
        if busy and self._commands is not None:
            self._commands.call_off()
        elif self.state.cursor is not None:
            self.leave_moment()
        else:
            self.choose(None)

    def action_scale(self) -> None:
        """The next scale of the split bar."""
        bar = self.screen_stack[0].query_one(SplitBar)
        bar.cycle_scale(budget=self.state.settings.budget is not None)

    def action_trends(self) -> None:
        """The trends instead of the anatomy, or back."""
        self._instead("trends", "trade", Trends)

    def action_trade(self) -> None:
        """What the batch sizes give and take instead of the anatomy, or back."""
        self._instead("trade", "trends", TradeChart)

    def _instead(self, shown: str, other: str, panel: type[Panel[Any]]) -> None:
        """Show this in the anatomy's place, or the anatomy again; say so where there is no room."""
        main = self.screen_stack[0]

        def look() -> None:
            if main.has_class(shown) and not main.query_one(panel).region.area:
                self.say(f"no room for the {shown}: that takes a larger terminal", "warning")

        main.remove_class(other).toggle_class(shown)
        self.call_after_refresh(look)

    def action_gpus(self) -> None:
        """All GPUs; from there the training can move to another one."""
        from vramtop.tui.screens.gpus import TrainingGpus

        self.open(TrainingGpus(self._move_to))

    def action_image(self) -> None:
        """A training image on its way to the model, and where the batch size enters."""
        from vramtop.tui.screens.image import ImageScreen

        if self._trained():
            self.open(ImageScreen(self._show_image))
            if self.state.picture is None:
                self._show_image()

    def action_next_image(self) -> None:
        """Another image; where none is shown, the screen that shows them."""
        from vramtop.tui.screens.image import ImageScreen

        if isinstance(self.screen, ImageScreen):
            self._show_image()
        else:
            self.action_image()

    def _show_image(self, index: int | None = None) -> None:
        if commands := self._trained():
            commands.show_image(index)

    def _move_to(self, place: int) -> None:
        """Let the training go on on the GPU that has this place among the cards."""
        from vramtop.tui.gpus.moving import CannotMove, destination
        from vramtop.tui.worker.launch import environment

        cards = self.state.cards.cards if self.state.cards else ()
        here = self.state.card
        if here is not None and cards[place] is here:
            self.say(f"the training is on GPU {here.index}")
            return
        try:
            device = destination(cards, place, environment())
        except CannotMove as reason:
            self.say(str(reason), severity="warning")
            return
        if self._trained() is not None and self._link is not None:
            self.say(f"moving the training to GPU {cards[place].index}")
            self._link.move(device)

    def action_help(self) -> None:
        """What the keys do and what the words mean."""
        from vramtop.tui.screens.help import Help

        self.open(Help())

    def action_tour(self) -> None:
        """A guided tour of the main screen, on the training that runs."""
        from vramtop.tui.tour.guide import Guide
        from vramtop.tui.tour.panel import tour

        self.close_all()
        self.screen_stack[0].query_one(SplitBar).usual_scale()
        tour(self.screen, Guide(self.state.settings, lambda: self._commands))
        self.show_state()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Over a screen that waits for an answer, letters are for what is typed there."""
        del parameters
        return not _asks(action) or not isinstance(self.screen, ModalScreen)

    def action_give_back(self) -> None:
        """Give the allocator's cache back to the driver."""
        if commands := self._trained():
            commands.give_back()


def _urgent(before: State, after: State, message: Received) -> bool:
    """Whether someone waits to see it; the rest is painted by the clock."""
    match message:
        case Sample():
            return after.paused or after.held is not before.held or before.sample is None
        case Measured():
            return before.measured is None
        case Evaluated() | Noise() | WorkerLine() | CardsReport():
            return False
        case _:
            return True
