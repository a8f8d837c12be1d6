"""The image screen on the real worker process and in a real terminal."""

from __future__ import annotations

import re

import terminal as terminals
import torch
from terminal import Terminal
from vramtop.trainer.data.datasets import Library

SENT = rb"\x1b_Ga=T,U=1,q=2,f=24,o=z,i=(\d+),s=224,v=224,c=28,r=14"
PLACEHOLDER = "\U0010eeee".encode()


def test_i_shows_an_image_in_its_own_colours_and_n_the_next_while_the_training_goes_on(
    monkeypatch,
):
    monkeypatch.setitem(terminals._SHOWN, "COLORTERM", "truecolor")
    labels = Library(None).load("mnist").train.targets[:3].tolist()
    terminal = Terminal(80, 24)
    terminal.wait_for(r"batch 64 .* loss +\d")
    terminal.child.send("i")
    terminal.wait_for(rf"image 0 +label {labels[0]} +class {labels[0]} +MNIST sample")
    terminal.wait_for(r"Normalize +float32 +1×28×28 +3,136")
    terminal.child.send("n")
    terminal.wait_for(rf"image 1 +label {labels[1]} ")
    assert terminal.text().count("▀") == 28 * 14
    terminal.child.send("+")
    terminal.wait_for(r"in force +128 +128×1×28×28 +392\.0 KiB +47")
    terminal.child.send(" ")
    terminal.wait_for("PAUSED")
    terminal.child.send("n")
    terminal.wait_for(rf"image 2 +label {labels[2]} ")
    terminal.child.send("N")
    terminal.wait_for(rf"image 1 +label {labels[1]} ")
    terminal.child.send("\t")
    terminal.wait_for(r"Linear 784 → 128 +128 +100,352 +128 +100,480")
    terminal.child.send("i")
    terminal.wait_for("Parameters")
    terminal.child.send(" d")
    terminal.wait_for(r"Parameters +1,541\.5")
    terminal.child.send("i")
    terminal.wait_for(r"image 0 .*CIFAR-10 synthetic")
    terminal.wait_for(f"(?s)({'▀' * 32}.*){{16}}")
    image = Library(None).load("cifar10").train.inputs[0].view(3, 32, 32)
    assert torch.equal(drawn(terminal), image)
    terminal.quit()


def drawn(terminal):
    """The colours of a picture of 32 by 32 pixels, two in each cell."""
    pixels = torch.zeros(32, 32, 3, dtype=torch.uint8)
    for row in range(16):
        for column in range(32):
            cell = terminal.screen.buffer[2 + row][1 + column]
            for below, color in enumerate((cell.fg, cell.bg)):
                pixels[2 * row + below, column] = torch.tensor(list(bytes.fromhex(color)))
    return pixels.permute(2, 0, 1)


def test_a_terminal_with_graphics_is_sent_each_image_and_asked_nothing(monkeypatch):
    monkeypatch.setitem(terminals._SHOWN, "TERM", "xterm-kitty")
    terminal = Terminal(80, 24)
    terminal.wait_for(r"batch 64 .* loss +\d")
    assert b"\x1b_G" not in terminal.raw
    for count, key in enumerate(("i", "n"), start=1):
        terminal.child.send(key)
        terminal.read_until(
            lambda count=count: len(set(re.findall(SENT, terminal.raw))) >= count,
            f"not {count} images",
        )
    terminal.wait_for("image 1 ")
    terminal.quit()
    assert len(set(re.findall(SENT, terminal.raw))) == 2
    assert terminal.raw.count(PLACEHOLDER) >= 2 * 28 * 14
