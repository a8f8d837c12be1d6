"""What a terminal can show; nothing else is sent to it."""

from __future__ import annotations

import io
import re
from collections import Counter
from pathlib import Path

import pytest
from gpu_table import make_gpu, report
from msgspec.structs import replace
from rich.cells import cell_len
from rich.console import Console
from screens import Screen, screen
from scripted import seen
from vramtop.protocol.gpus import GpuProcess
from vramtop.protocol.lesson.messages import LessonMeasured
from vramtop.protocol.split import ALL_CATEGORIES, CATEGORIES
from vramtop.protocol.wire.recording import Reader
from vramtop.tui.app.gpu_app import GpuApp
from vramtop.tui.terminal.capabilities import Repertoire, Terminal, believed, cannot_place, look
from vramtop.tui.terminal.glyphs import drawn as translated
from vramtop.tui.terminal.glyphs import lacking
from vramtop.tui.terminal.palette import GLYPHS, palette
from vramtop.tui.widgets.step.blocks import bar, drawn
from vramtop.tui.worker.link import Received, WorkerLine

DOCS = Path(__file__).parents[3] / "docs"
UTF8 = {"LANG": "en_GB.UTF-8"}
CONSOLE = set("█▀▄▌▐░▒▓─│┌┐└┘├┤┴·°±")
NAMES = ["xterm-256color", "xterm", "linux", "screen", "screen-256color", "tmux-256color", "vt220"]
GIB = 2**30


# ---- what the environment says ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "encoding", "characters"),
    [
        ({}, "utf-8", "unicode"),
        (UTF8, "utf-8", "unicode"),
        ({"LC_CTYPE": "UTF-8"}, "utf-8", "unicode"),
        ({"LANG": "C.utf8"}, "utf-8", "unicode"),
        ({"LANG": "C", "LC_ALL": "de_DE.UTF-8"}, "utf-8", "unicode"),
        ({"LANG": ""}, "utf-8", "unicode"),
        ({"LANG": "C"}, "utf-8", "ascii"),
        # As Python leaves it after LANG=C, and after no variable at all.
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "utf-8", "ascii"),
        ({"LC_CTYPE": "C.UTF-8"}, "utf-8", "unicode"),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "POSIX"}, "utf-8", "ascii"),
        ({"LANG": "de_DE@euro"}, "iso8859-15", "ascii"),
        ({"LANG": "en_US.ISO-8859-1"}, "utf-8", "ascii"),
        (UTF8, "iso8859-1", "ascii"),
        ({"LANG": "C", "PYTHONIOENCODING": "utf-8"}, "utf-8", "unicode"),
        ({"LANG": "C", "TERM": "linux"}, "utf-8", "ascii"),
        ({**UTF8, "TERM": "linux"}, "utf-8", "console"),
        ({**UTF8, "TERM": "screen"}, "utf-8", "unicode"),
        ({**UTF8, "TERM": "tmux-256color"}, "utf-8", "unicode"),
    ],
)
def test_its_characters_follow_from_the_locale_and_from_its_name(
    environment: dict[str, str], encoding: str, characters: Repertoire
) -> None:
    assert look(environment, encoding).characters == characters


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("more", [{}, {"COLORTERM": "truecolor"}, {"COLORTERM": "24bit"}])
def test_it_has_as_many_colours_as_rich_will_write(name: str, more: dict[str, str]) -> None:
    environment = {"TERM": name, **more}
    console = Console(file=io.StringIO(), force_terminal=True, _environ=environment)
    systems = {"standard": 16, "256": 256, "truecolor": 2**24}
    assert console.color_system
    assert look(environment, "utf-8").colors == systems[console.color_system]


def test_what_gnu_screen_hands_on_of_its_own_terminal_is_not_believed() -> None:
    around = {"TERM": "screen", "COLORTERM": "truecolor"}
    assert look({**around, "STY": "1.pts-0"}, "utf-8").colors == 16
    assert look({**around, "STY": "1.pts-0", "TMUX": "/tmp/tmux,1,0"}, "utf-8").colors == 2**24
    assert look({**around, "TMUX": "/tmp/tmux,1,0"}, "utf-8").colors == 2**24
    assert believed({**around, "STY": "1.pts-0"}) == {"TERM": "screen", "STY": "1.pts-0"}


def test_only_one_that_is_dumb_or_unknown_cannot_place_its_cursor() -> None:
    assert [name for name in (*NAMES, "dumb", "unknown") if cannot_place({"TERM": name})] == [
        "dumb",
        "unknown",
    ]
    assert not cannot_place({})


# ---- characters ---------------------------------------------------------------------------------


@pytest.mark.parametrize("characters", ["ascii", "console"])
@pytest.mark.parametrize("text", ["█▚▒░▞· ▏▍▊", "54°C ±10% → 64 × 2…", "日本 é 🔎 👩‍💻 ⠓", "plain"])
def test_what_is_drawn_instead_is_as_wide(characters: Repertoire, text: str) -> None:
    for character in text:
        assert cell_len(translated(character, characters)) == cell_len(character), character


@pytest.mark.parametrize("characters", ["ascii", "console"])
def test_no_two_categories_are_drawn_alike(characters: Repertoire) -> None:
    assert len({translated(glyph, characters) for glyph in GLYPHS.values()}) == len(ALL_CATEGORIES)


def test_letters_lose_their_accents_and_what_has_no_likeness_is_a_question_mark() -> None:
    assert translated("Zoë 日", "ascii") == "Zoe ??"


def test_a_curve_of_dots_stays_one() -> None:
    assert translated("⠉⠤⣀⢸⠀⠒", "ascii") == "'-.| -"


def test_a_stream_that_lacks_a_character_writes_the_nearest() -> None:
    with pytest.raises(UnicodeEncodeError) as caught:
        "784 → 128 × 2".encode("latin-1")
    assert lacking(caught.value) == (">", 5)


@pytest.mark.parametrize("characters", ["unicode", "console", "ascii"])
@pytest.mark.parametrize("parts", [(7, 7, 14, 3, 1, 7), (1, 0, 0, 90, 9, 0), (30, 30, 0, 3, 2, 1)])
@pytest.mark.parametrize("width", [58, 78, 118, 198])
def test_bars_of_patterns_keep_their_proportions(
    characters: Repertoire, parts: tuple[int, ...], width: int
) -> None:
    colors = palette("terminal", patterned=True)
    picture = "".join(drawn(cell, colors)[0] for cell in bar(parts, 100, width))
    cells = Counter(translated(picture, characters))
    for category, part in zip(CATEGORIES, parts, strict=True):
        assert abs(cells[translated(GLYPHS[category], characters)] - part * width / 100) <= 1
    assert sum(cells.values()) == width


# ---- the screens --------------------------------------------------------------------------------


def _session() -> list[Received]:
    """What a real worker said, up to a second batch size that was measured."""
    said = list[Received]()
    for envelope in Reader(DOCS / "session-cpu.jsonl"):
        said.append(envelope.message)
        match envelope.message:
            case LessonMeasured(batch_size=128, settled=True):
                return said
            case _:
                pass
    raise AssertionError("no second batch size was measured")


SESSION = _session()
MACHINE = report(
    make_gpu(0, GpuProcess(7, GIB, "zoë", "python -m trainer…"), throttled=("power cap",)),
    make_gpu(1, ecc_errors=3, instances=(make_gpu(0, name="NVIDIA X100 MIG 1g.10gb"),)),
    make_gpu(2, power=None, fan=None, temperature=None),
    replace(make_gpu(3), trouble="the GPU is lost"),
)
# The screens, each by the keys that lead to it from the one before.
WAYS = [
    (), ("question_mark",), ("escape", "b"), ("escape", "v"), ("x", "enter"), ("escape", "g"),
    ("down", "down"), ("escape", "ctrl+p"), ("escape", "p"), ("p",), ("t",), ("p",),
]  # fmt: skip


async def every_screen(shown: Screen, messages: list[Received]) -> str:
    """What stood on each of the screens, one below the other."""
    pictures = []
    await shown.hear(*messages)
    for keys in WAYS:
        await shown.press(*keys)
        pictures.append(seen(shown.app))
    return "\n".join(pictures)


@pytest.mark.parametrize(
    ("size", "characters", "more"),
    [((80, 24), "ascii", set()), ((120, 40), "ascii", set()), ((120, 40), "console", CONSOLE)],
)
async def test_every_screen_is_drawn_of_what_the_terminal_has(
    characters: Repertoire, more: set[str], size: tuple[int, int]
) -> None:
    async with screen(*size, terminal=Terminal(characters, 16)) as shown:
        text = await every_screen(shown, [*SESSION, MACHINE])
    assert {character for character in text if not character.isascii()} <= more
    for words in ("Batch size: double", "Memory budget", "the GPU is lost", "everything"):
        assert words in text
    # Nothing of ours is without a likeness.
    assert "?" not in re.sub(r"\(\?\)|\? +(help|keys and words)", "", text)


async def test_what_a_worker_prints_and_what_says_that_there_is_no_room_are_drawn_so_too() -> None:
    async with screen(120, 40, terminal=Terminal("ascii", 16)) as shown:
        await shown.hear(WorkerLine("naïve café — “done” 日本"))
        assert 'naive cafe - "done" ????' in seen(shown.app)
        await shown.pilot.resize_terminal(39, 17)
        await shown.pilot.pause()
        assert "A little more room" in seen(shown.app)
        assert seen(shown.app).isascii()


async def test_the_gpus_alone_are_drawn_of_ascii_too() -> None:
    app = GpuApp(terminal=Terminal("ascii", 16))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        app.receive(MACHINE)
        await pilot.pause()
        assert "X100 80GB" in seen(app)
        assert seen(app).isascii()
