"""Which CUDA device a GPU of the machine is, for a training that is to move there. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vramtop.protocol.gpus import Card

from .cards import visible


class CannotMove(Exception):
    """The training cannot move to that GPU; the text is the reason, in one line."""


def destination(cards: Sequence[Card], place: int, environment: Mapping[str, str]) -> str:
    """The name `cuda:N` that the card at `place` has in a process with this environment.

    `cards` are in NVML's order when the process began. Raises `CannotMove` if the process does not
    see the card, if the card cannot be used now, and if CUDA may number the GPUs in another order
    than NVML.
    """
    card = cards[place]
    name = f"GPU {card.index}"
    if card.trouble is not None:
        raise CannotMove(f"{name}: {card.trouble}")
    setting = environment.get("CUDA_VISIBLE_DEVICES")
    by_number = setting is None or not setting.strip().startswith(("GPU-", "MIG-"))
    in_order = environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
    if by_number and not in_order and len({each.name for each in cards}) > 1:
        raise CannotMove(
            "CUDA numbers GPUs of several kinds in an order of its own; "
            "start vramtop with CUDA_DEVICE_ORDER=PCI_BUS_ID"
        )
    devices = _seen(cards, setting)
    if place not in devices:
        raise CannotMove(f"the worker cannot see {name}: CUDA_VISIBLE_DEVICES is {setting!r}")
    return f"cuda:{devices.index(place)}"


def _seen(cards: Sequence[Card], setting: str | None) -> list[int]:
    """The places of the cards that cuda:0, cuda:1, … stand for, as a whole or by an instance."""
    whole = [(card.uuid or "", place) for place, card in enumerate(cards)]
    parts = [
        (part.uuid, place)
        for place, card in enumerate(cards)
        for part in card.instances
        if part.uuid is not None
    ]
    known = [*whole, *parts]
    return [known[at][1] for at in visible([uuid for uuid, _ in known], setting)]
