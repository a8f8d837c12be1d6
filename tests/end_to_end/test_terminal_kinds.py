"""The installed command on terminals that can show less than most."""

import json
import re

import pytest
from terminal import Terminal, recorded

DUMB = {"TERM": "dumb", "LANG": "C"}
PLAIN = re.compile(rb"[^\x00-\x7f]")
# Colours beyond the terminal's own 16: 38;5;N and 48;5;N, 38;2;R;G;B and 48;2;R;G;B.
BEYOND = re.compile(rb"\x1b\[[\d;]*[34]8;[25];")
CONSOLE = set("█▀▄▌▐░▒▓─│┌┐└┘├┤┴·°±")


def trained(shown):
    """A terminal that has shown a measured step, with a dialog over it and without."""
    terminal = recorded(80, 24, "--device", "cpu", shown=shown)
    terminal.wait_until_measured()
    terminal.child.send("?")
    terminal.wait_for("the next optimizer")
    terminal.child.send("\x1b")
    terminal.wait_for(r"Total +2,5\d\d\.\d")
    terminal.quit()
    return terminal


@pytest.mark.parametrize(
    "shown",
    [
        {"TERM": "xterm-256color", "LANG": "C"},
        {"TERM": "xterm", "LANG": "C.UTF-8", "PYTHONIOENCODING": "latin-1"},
    ],
)
def test_where_the_locale_has_no_utf8_only_ascii_is_sent(shown):
    terminal = trained(shown)
    assert not PLAIN.search(terminal.raw)


def test_linuxs_console_gets_what_its_font_and_its_16_colours_have():
    terminal = trained({"TERM": "linux", "LANG": "C.UTF-8"})
    assert {letter for letter in terminal.raw.decode() if not letter.isascii()} <= CONSOLE
    assert not BEYOND.search(terminal.raw)


def test_gnu_screen_gets_its_own_16_colours_whatever_the_terminal_around_it_has():
    shown = {"TERM": "screen", "STY": "1.pts", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
    terminal = trained(shown)
    assert not BEYOND.search(terminal.raw)
    assert "▚".encode() in terminal.raw


def test_tmux_with_256_colours_gets_them():
    shown = {"TERM": "tmux-256color", "LANG": "C.UTF-8"}
    terminal = trained(shown)
    assert re.search(rb"\x1b\[[\d;]*48;5;", terminal.raw)


def test_no_color_sends_no_colour():
    shown = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "NO_COLOR": "1"}
    terminal = trained(shown)
    codes = {
        code
        for codes in re.findall(rb"\x1b\[([\d;]*)m", terminal.raw)
        for code in codes.split(b";")
    }
    # Bold, dim, underlined, reversed and none of them; the terminal's own ink and paper.
    assert codes <= {b"", b"0", b"1", b"2", b"4", b"7", b"39", b"49"}


def test_a_terminal_without_a_cursor_gets_a_line_a_second_and_the_table_at_ctrl_c():
    terminal = recorded(120, 60, "--device", "cpu", shown=DUMB)
    terminal.wait_for(r"no screen, since TERM=dumb denies it a cursor")
    terminal.wait_for(r"step +peak +params +grads +optimizer +batch +activ\. +temp\. +loss")
    first, second = (r"\d +2\.5\dM +398K +398K +795K +196K",) * 2
    terminal.wait_for(f"{first}(.|\n)*{second}")
    terminal.child.send("\x03")
    assert terminal.ended() == 130
    assert re.search(r"Batch data +201,216 .* \+512", terminal.text())
    assert re.search(r"Linear 784 > 128 +64 x 128", terminal.text())
    assert b"\x1b" not in terminal.raw
    assert not PLAIN.search(terminal.raw)
    assert b"Traceback" not in terminal.raw


def test_a_tour_that_cannot_be_shown_is_not_left_out_in_silence():
    terminal = recorded(120, 60, "--tour", "--device", "cpu", shown=DUMB)
    terminal.wait_for(r"no screen and no tour, since TERM=dumb")
    terminal.child.send("\x03")
    assert terminal.ended() == 130


def test_the_gpus_alone_need_a_cursor_and_say_so_in_one_line():
    terminal = Terminal(120, 10, "gpus", shown=DUMB)
    assert terminal.ended() == 2
    (line,) = terminal.raw.decode().splitlines()
    assert line.startswith("vramtop: the GPUs need a terminal that can place its cursor")


def test_what_was_chosen_in_one_monitor_is_chosen_in_the_next(config):
    first = Terminal(80, 24, "gpus")
    first.wait_for("quit")
    first.child.send("T")
    first.wait_for("light theme")
    first.quit()
    assert json.loads(config.read_text()) == {"theme": "light"}
    second = Terminal(80, 24, "gpus")
    second.wait_for("quit")
    second.child.send("T")
    second.wait_for("high-contrast theme")
    second.quit()


def test_a_config_that_cannot_be_used_does_not_stop_the_monitor(config):
    config.parent.mkdir(parents=True)
    config.write_text("theme = dark")
    terminal = Terminal(120, 24, "gpus")
    terminal.wait_for("JSON")  # where the line breaks is up to the path
    terminal.quit()
    assert config.read_text() == "theme = dark"
