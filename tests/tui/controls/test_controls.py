"""What a key asks of the training, from the state alone: no app, no screen."""

from __future__ import annotations

import pytest
from made import BEGUN, HELLO, begun_on, configured, measured, sample
from msgspec.structs import replace
from scripted import Script
from vramtop.protocol.commands import Advance, GiveBack, Pause, SlowMotion
from vramtop.protocol.gpus import Gpu, GpusReport
from vramtop.protocol.lesson.commands import CallOff, Compare, FindLargest, Reset, ShowImage
from vramtop.protocol.lesson.messages import Found, SearchEnded, Tried
from vramtop.protocol.lesson.settings import Settings
from vramtop.protocol.messages import Answer, Failed, Flow
from vramtop.protocol.split import Split
from vramtop.protocol.wire.framing import ToWorker
from vramtop.tui.controls import runs, settings
from vramtop.tui.controls.controls import CONTROLS, no_question
from vramtop.tui.controls.reply import Reply
from vramtop.tui.state.folding import fold
from vramtop.tui.state.lesson import fair
from vramtop.tui.state.lesson.folding import begun
from vramtop.tui.words.keys import KEYS
from vramtop.tui.worker.commands import Commands
from vramtop.tui.worker.link import Received, WorkerGone

HELD = (Flow(True, False), sample(704, phase="forward", split=Split(parameters=2**20)))
FOUND = Found(1_000, 800, "memory", 2**30, 2**29, 2**31, 9, 1, 512, ())
GONE = Reply("there is no training any more", "warning")


class Desk:
    """A training that has said these messages, and what is asked of it."""

    def __init__(self, *messages: Received) -> None:
        self.worker = Script()
        self.commands = Commands(self.worker)
        self.state = begun(Settings())
        for message in messages or BEGUN:
            self.state = fold(self.state, message)
            self.commands.hear(message)

    def press(self, name: str) -> Reply | None:
        return CONTROLS[name](self.state, self.commands)

    @property
    def sent(self) -> list[ToWorker]:
        return self.worker.sent

    @property
    def changes(self) -> list[dict[str, object]]:
        return self.worker.changes


def test_every_key_that_names_a_control_names_one_that_there_is() -> None:
    named = {key.action[9:-2] for key in KEYS if key.action.startswith("control(")}
    assert named == set(CONTROLS)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("double", {"batch_size": 128}),
        ("halve", {"batch_size": 32}),
        ("more", {"batch_size": 70}),
        ("less", {"batch_size": 58}),
        ("next_optimizer", {"optimizer": "adamw"}),
        ("next_dataset", {"dataset": "cifar10"}),
    ],
)
def test_a_control_asks_for_its_setting_and_leaves_the_answer_to_the_worker(
    name: str, change: dict[str, object]
) -> None:
    desk = Desk()
    assert desk.press(name) is None
    assert desk.changes == [change]


@pytest.mark.parametrize(("size", "less", "more"), [(1, None, 2), (9, 8, 10), (10, 9, 11)])
def test_a_tenth_is_at_least_one_image(size: int, less: int | None, more: int) -> None:
    for name, expected in (("less", less), ("more", more)):
        desk = Desk(HELLO, configured(batch_size=size))
        desk.press(name)
        assert [each["batch_size"] for each in desk.changes] == ([expected] if expected else [])


def test_quick_presses_add_up_until_the_latest_is_answered() -> None:
    desk = Desk()
    for _ in range(3):
        desk.press("double")
    assert [change["batch_size"] for change in desk.changes] == [128, 256, 512]
    desk.commands.hear(Answer(2, None))
    desk.press("double")
    assert desk.changes[-1] == {"batch_size": 1024}
    desk.commands.hear(Answer(4, "no"))
    desk.press("double")
    assert desk.changes[-1] == {"batch_size": 128}


@pytest.mark.parametrize(
    ("values", "name", "text"),
    [
        ({"batch_size": 1}, "halve", "a batch of 1 is one image"),
        ({"batch_size": 6000}, "double", "a batch of 6,000 is all of the data"),
        (
            {"batch_size": 857, "accumulation": 7},
            "double",
            "batch 857 ×7 = 5,999 is the most that 6,000 images allow",
        ),
    ],
)
def test_a_batch_that_can_be_no_other_says_why_and_asks_for_nothing(
    values: dict[str, int], name: str, text: str
) -> None:
    desk = Desk(HELLO, configured(**values))
    assert desk.press(name) == Reply(text)
    assert desk.sent == []


def test_a_batch_is_never_larger_than_the_data() -> None:
    desk = Desk(HELLO, configured(batch_size=5000))
    desk.press("double")
    assert desk.changes == [{"batch_size": 6000}]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"batch_size": 128}, "batch 64 → 128 from the next step on"),
        ({"hidden": 256}, "hidden 128 → 256 from the next step on"),
        ({"budget": 2**20}, "budget none → 1.00 MiB from the next step on"),
        ({"learning_rate": 0.1}, "lr 0.001 → 0.1 from the next step on"),
        ({"hidden": 128}, "nothing to change"),
    ],
)
def test_a_change_while_a_step_is_held_waits_for_the_next_step(
    values: dict[str, object], text: str
) -> None:
    desk = Desk(*BEGUN, *HELD)
    assert settings.change(desk.state, desk.commands, **values) == Reply(text)
    assert desk.changes == [values]


def test_a_visited_size_comes_back_with_its_accumulation() -> None:
    desk = Desk(HELLO, configured(batch_size=64))
    assert settings.revisit(desk.state, desk.commands, 64, 1) == Reply(
        "batch 64 is running already"
    )
    settings.revisit(desk.state, desk.commands, 32, 1)
    settings.revisit(desk.state, desk.commands, 16, 4)
    assert desk.changes == [{"batch_size": 32}, {"batch_size": 16, "accumulation": 4}]
    again = settings.revisit(desk.state, desk.commands, 16, 4)
    assert again == Reply("batch 16 ×4 = 64 is asked for already")


def test_the_recommended_size_is_asked_for_once_the_largest_is_known() -> None:
    desk = Desk()
    assert desk.press("recommended") == Reply("first find the largest batch with m")
    desk.state = fold(desk.state, SearchEnded(FOUND))
    assert desk.press("recommended") is None
    assert desk.changes == [{"batch_size": 800}]


def test_a_search_is_begun_once_and_called_off_by_escape() -> None:
    desk = Desk()
    assert not runs.call_off(desk.state, desk.commands)
    assert desk.press("find_largest") == Reply(
        "finding the largest batch; escape calls the search off"
    )
    desk.state = fold(desk.state, Tried(100, fits=True))
    assert desk.press("find_largest") == Reply("the search is still on; escape calls it off")
    assert runs.call_off(desk.state, desk.commands)
    assert desk.sent == [FindLargest(1), CallOff(2)]


def test_a_search_that_ended_with_its_worker_is_not_called_off() -> None:
    desk = Desk(*BEGUN, Tried(100, fits=True), WorkerGone(-9, ()))
    assert desk.state.lesson.searching
    assert not runs.call_off(desk.state, desk.commands)
    assert desk.sent == []


def test_one_search_or_comparison_at_a_time() -> None:
    desk = Desk()
    assert no_question("comparison", desk.state) is None
    busy = fold(desk.state, Tried(100, fits=True))
    assert no_question("comparison", busy) == Reply(
        "one search or comparison at a time; escape calls it off"
    )
    assert no_question("batch_size", busy) is None


def test_a_comparison_says_what_it_takes() -> None:
    desk = Desk()
    plan = fair.planned(Settings(), "16,64", 6_000)
    reply = runs.compare(desk.state, desk.commands, plan)
    images = plan.trials[0].images
    assert reply == Reply(
        "comparing 2 batch sizes on 30,000 images each, 60,000 in all; escape calls it off"
    )
    assert desk.sent == [Compare(1, tuple(trial.settings for trial in plan.trials), images)]


def test_the_flow_of_the_training() -> None:
    desk = Desk()
    for name in ("pause", "pause", "advance", "slow", "slow", "give_back"):
        assert desk.press(name) is None
    assert desk.sent == [
        Pause(1, True),
        Pause(2, False),
        Advance(3),
        SlowMotion(4, True),
        SlowMotion(5, False),
        GiveBack(6),
    ]


def test_what_the_worker_says_of_its_flow_is_what_the_next_press_turns_round() -> None:
    desk = Desk(*BEGUN, Flow(paused=True, slow=True))
    desk.press("pause")
    desk.press("slow")
    assert desk.sent == [Pause(1, False), SlowMotion(2, False)]


def test_fresh_weights_have_the_settings_that_were_asked_for() -> None:
    desk = Desk()
    desk.press("double")
    desk.press("restart")
    assert desk.sent[-1] == Reset(2, Settings(batch_size=128))


def test_an_image_is_asked_for_by_its_index_or_as_the_next() -> None:
    desk = Desk()
    runs.show_image(desk.state, desk.commands)
    runs.show_image(desk.state, desk.commands, 7)
    assert desk.sent == [ShowImage(1, None), ShowImage(2, 7)]


@pytest.mark.parametrize("name", sorted(CONTROLS))
def test_without_a_training_every_control_says_why_and_sends_nothing(name: str) -> None:
    starting = Reply("the worker is still starting", "warning")
    assert CONTROLS[name](begun(Settings()), None) == starting
    for end in (WorkerGone(1, ()), Failed("why", usage=False)):
        desk = Desk(*BEGUN, measured(), end)
        assert desk.press(name) == GONE
        assert desk.sent == []
    assert no_question("budget", begun(Settings())) == starting


# ---- moves to another GPU -----------------------------------------------------------------------

TWO = GpusReport(tuple(Gpu(at, f"GPU-{at}", "a GPU", total=2**33) for at in range(2)))
ON_ONE = replace(HELLO.device, name="cuda:1", uuid="GPU-1")


def on_the_second(*messages: Received) -> Desk:
    return Desk(*begun_on(ON_ONE), TWO, *messages)


def test_a_training_moves_to_the_gpu_at_a_place() -> None:
    desk = on_the_second()
    assert runs.move(desk.state, desk.commands, 0, {}) == Reply("moving the training to GPU 0")
    assert desk.worker.moves == ["cuda:0"]


@pytest.mark.parametrize(
    ("place", "environment", "reply"),
    [
        (1, {}, Reply("the training is on GPU 1")),
        (
            0,
            {"CUDA_VISIBLE_DEVICES": "1"},
            Reply("the worker cannot see GPU 0: CUDA_VISIBLE_DEVICES is '1'", "warning"),
        ),
    ],
)
def test_a_training_that_cannot_move_says_why(
    place: int, environment: dict[str, str], reply: Reply
) -> None:
    desk = on_the_second()
    assert runs.move(desk.state, desk.commands, place, environment) == reply
    assert desk.worker.moves == []


def test_a_training_that_has_ended_moves_nowhere() -> None:
    desk = on_the_second(WorkerGone(-9, ()))
    assert runs.move(desk.state, desk.commands, 0, {}) == GONE
    assert desk.worker.moves == []
