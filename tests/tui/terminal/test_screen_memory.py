"""What is sent to a terminal, held against all that Textual would have sent it."""

from __future__ import annotations

import random

import pyte
import pytest
from vramtop.tui.terminal.screen_memory import ScreenMemory

WIDTH, HEIGHT = 30, 6
SIZE = (WIDTH, HEIGHT)
RED, BOLD = "38;2;200;0;0;48;2;9;9;9", "1;38;2;200;0;0;48;2;9;9;9"
STYLES = ("", RED, BOLD, "3;38;5;4", "7;31;44", "38;2;0;200;0;48;2;9;9;9", "4")


class Terminal:
    """A terminal that gets what Textual writes, and one that gets what is left of it."""

    def __init__(self) -> None:
        self._memory = ScreenMemory()
        self._screens = [pyte.Screen(WIDTH, HEIGHT) for _ in range(2)]
        self._streams = [pyte.Stream(screen) for screen in self._screens]

    def write(self, data: str) -> str:
        """What is sent for it; both terminals must show the same then."""
        sent = self._memory.thinned(data, SIZE)
        for stream, text in zip(self._streams, (data, sent), strict=True):
            stream.feed(text)
        full, thin = self._screens
        assert thin.display == full.display
        for y in range(HEIGHT):
            assert [thin.buffer[y][x] for x in range(WIDTH)] == [
                full.buffer[y][x] for x in range(WIDTH)
            ]
        assert (thin.cursor.x, thin.cursor.y) == (full.cursor.x, full.cursor.y)
        return sent


def run(text: str, style: str = "") -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if style else text


def line(y: int, *runs: str, x: int = 0) -> str:
    return f"\x1b[{y + 1};{x + 1}H" + "".join(runs)


def screen(style: str = RED) -> str:
    """All cells, as Textual draws a whole screen."""
    rows = (line(y, run(f"{f'line {y}':<{WIDTH}}", style)) for y in range(HEIGHT))
    return "\n".join(rows) + line(0)


@pytest.fixture
def terminal() -> Terminal:
    terminal = Terminal()
    assert terminal.write(screen()) == screen()
    return terminal


def test_what_stands_there_already_is_not_sent(terminal: Terminal) -> None:
    assert terminal.write(line(3, run(f"{'line 3':<20}", RED)) + line(0)) == ""


def test_only_the_cells_that_differ_are_sent(terminal: Terminal) -> None:
    sent = terminal.write(line(3, run(f"{'line 7':<20}", RED)) + line(0))
    assert sent == f"\x1b[4;6H\x1b[{RED}m7\x1b[1;1H"


def test_a_cell_of_another_style_differs(terminal: Terminal) -> None:
    sent = terminal.write(line(3, run("lin", RED), run("e", BOLD), run(" 3", RED)) + line(0))
    assert sent == f"\x1b[4;4H\x1b[{BOLD}me\x1b[1;1H"


def test_a_style_is_set_once_for_all_that_follows_in_it(terminal: Terminal) -> None:
    terminal.write(line(1, run("a", RED)))
    assert RED not in terminal.write(line(2, run("b", RED)))


def test_of_a_style_only_what_changes_is_set(terminal: Terminal) -> None:
    sent = terminal.write(line(1, run("a", RED), run("b", BOLD), run("c", "1;32;48;2;9;9;9")))
    assert sent == f"\x1b[2;1H\x1b[{RED}ma\x1b[1mb\x1b[32mc"


def test_two_changes_near_each_other_are_one(terminal: Terminal) -> None:
    near = terminal.write(line(3, run("LinE 3", RED)))
    assert near.endswith("mLinE\x1b[2C")
    far = terminal.write(line(3, run(f"{'linE 3':<20}!", RED)))
    assert far == "\x1b[4;1Hl\x1b[19C!"


def test_a_whole_screen_is_sent_even_where_it_stands_there_already(terminal: Terminal) -> None:
    assert terminal.write(screen()) == screen()


def test_a_new_size_makes_all_be_sent_until_the_screen_was_drawn_in_it() -> None:
    memory = ScreenMemory()
    memory.thinned(screen(), SIZE)
    again = line(3, run("line 3", RED))
    assert memory.thinned(again, (WIDTH + 1, HEIGHT)) == again
    assert memory.thinned(again, SIZE) == again
    memory.thinned(screen(), SIZE)
    assert memory.thinned(again, SIZE) != again


@pytest.mark.parametrize("other", ["\x1b[2J", "\x1b[?1049h", "plain text", "\x1b_Ga=T;AAAA\x1b\\"])
def test_after_what_may_change_the_screen_in_another_way_all_is_sent(other: str) -> None:
    memory = ScreenMemory()
    memory.thinned(screen(), SIZE)
    assert memory.thinned(other, SIZE) == other
    again = line(3, run("line 3", RED))
    assert memory.thinned(again, SIZE) == again


@pytest.mark.parametrize("other", ["\x1b[?2026h", "\x1b[?2026l", "\x07", "\x1b]52;c;aGk=\x07"])
def test_what_changes_no_cell_is_sent_and_nothing_is_forgotten(
    terminal: Terminal, other: str
) -> None:
    assert terminal.write(other) == other
    assert terminal.write(line(3, run("line 3", RED)) + line(0)) == ""


def test_no_style_is_left_to_what_comes_after_the_app(terminal: Terminal) -> None:
    terminal.write(line(1, run("a", BOLD)))
    assert terminal.write("\x1b[?1049l") == "\x1b[0m\x1b[?1049l"


def test_characters_of_two_cells_are_always_sent(terminal: Terminal) -> None:
    wide = line(2, run("名前", RED), run("  name", RED))
    assert "名前" in terminal.write(wide)
    sent = terminal.write(wide)
    assert "名前" in sent
    assert "name" not in sent
    # What follows them is reached by its address.
    assert "\x1b[3;5H" in terminal.write(line(2, run("名前", RED), run("Name", RED)))


def test_the_last_column_is_left_by_its_address(terminal: Terminal) -> None:
    sent = terminal.write(line(2, run("x", RED), x=WIDTH - 1) + "\n" + line(3, run("y", RED)))
    assert sent == f"\x1b[3;{WIDTH}H\x1b[{RED}mx\x1b[4;1Hy"


@pytest.mark.parametrize("seed", range(20))
def test_any_updates_leave_the_same_screen(terminal: Terminal, seed: int) -> None:
    chance = random.Random(seed)
    whole, thin = 0, 0
    for _ in range(60):
        parts = []
        for y in sorted(chance.sample(range(HEIGHT), chance.randint(1, 5))):
            x, runs = chance.randrange(WIDTH), []
            room = WIDTH - x
            while room and chance.random() < 0.7:
                length = chance.randint(1, room)
                text = "".join(chance.choice("  aab█") for _ in range(length))
                runs.append(run(text, chance.choice(STYLES)))
                room -= length
            parts.append(line(y, *runs, x=x))
        if chance.random() < 0.1:
            parts = [screen(chance.choice(STYLES))]
        update = "\n".join(parts) + line(chance.randrange(HEIGHT), x=chance.randrange(WIDTH))
        whole += len(update)
        thin += len(terminal.write(update))
    assert thin < whole
