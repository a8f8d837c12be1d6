"""Conclusions from what NVML says: who holds memory, which GPUs a process sees, what is missing.

Pure: no NVML in here, no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from msgspec.structs import replace
from vramtop.protocol.gpus import Card, CardsReport

UNLISTED = "NVML no longer lists this GPU"


class Occupancy(msgspec.Struct, frozen=True):
    """Who holds a GPU's memory, in bytes; the parts add up to `total`.

    `driver` is None where NVML does not tell the driver's part, `ours` where nobody tells ours.
    Then `others` includes it.
    """

    total: int
    driver: int | None
    others: int
    ours: int | None
    free: int


def held(card: Card, pids: Collection[int]) -> int | None:
    """The bytes that these processes hold on the card, by NVML.

    None where NVML lists none of them, as in many containers, or does not tell their bytes.
    """
    ours = [process.used for process in card.processes or () if process.pid in pids]
    known = [used for used in ours if used is not None]
    return sum(known) if known and len(known) == len(ours) else None


def occupancy(card: Card, ours: int | None) -> Occupancy | None:
    """Who holds the card's memory when `ours` bytes of it are our own; None without total and free.

    Total, reserved and free come in one answer of NVML. Bytes that are neither reserved nor free
    are in use. `ours` may come from another moment, so it is limited to what is in use, and the
    others hold the rest. So the parts always add up.
    """
    if card.total is None or card.free is None:
        return None
    free = min(card.free, card.total)
    driver = None if card.reserved is None else min(card.reserved, card.total - free)
    in_use = card.total - free - (driver or 0)
    if ours is not None:
        ours = min(ours, in_use)
    return Occupancy(card.total, driver, in_use - (ours or 0), ours, free)


def visible(uuids: Sequence[str], setting: str | None) -> list[int]:
    """The places in `uuids` of the devices cuda:0, cuda:1, … of a process.

    `uuids` are NVML's: those of GPUs in the order of the PCI bus, then those of MIG instances.
    `setting` is the process's CUDA_VISIBLE_DEVICES; None, where it is not set, means all GPUs. Its
    entries are numbers, or unique beginnings of UUIDs; all are of one kind. The first entry that
    names nothing ends the list, an entry that is there twice empties it, and of MIG instances a
    process gets only the first.

    Numbers count in PCI order. CUDA's own default is the fastest GPU first. Where the GPUs are of
    several kinds, numbers need CUDA_DEVICE_ORDER=PCI_BUS_ID.
    """
    gpus = [place for place, uuid in enumerate(uuids) if not uuid.startswith("MIG-")]
    if setting is None:
        return gpus
    entries = [entry.strip() for entry in setting.split(",")]
    kind = next((kind for kind in ("GPU-", "MIG-") if entries[0].startswith(kind)), "")
    chosen: list[int] = []
    for entry in entries:
        place = _by_uuid(uuids, entry, kind) if kind else _by_number(gpus, entry)
        if place is None:
            break
        if place in chosen:
            return []
        chosen.append(place)
    return chosen[:1] if kind == "MIG-" else chosen


def _by_uuid(uuids: Sequence[str], entry: str, kind: str) -> int | None:
    if not entry.startswith(kind):
        return None
    found = [place for place, uuid in enumerate(uuids) if uuid.startswith(entry)]
    return found[0] if len(found) == 1 else None


def _by_number(gpus: list[int], entry: str) -> int | None:
    """CUDA reads only the digits at the beginning of an entry."""
    entry = entry.removeprefix("+")
    digits = entry[: len(entry) - len(entry.lstrip("0123456789"))]
    return gpus[int(digits)] if digits and int(digits) < len(gpus) else None


def lost(card: Card, trouble: str) -> Card:
    """A card that cannot be asked: its index, and the fields that never change."""
    return Card(card.index, card.uuid, card.name, total=card.total, trouble=trouble)


def keep_places(before: Sequence[Card], now: Sequence[Card]) -> tuple[Card, ...]:
    """The cards of `now`; those of `before` that NVML no longer lists keep their places.

    A card that does not tell its name or UUID now is taken for the one with its index before.
    """
    listed = {card.index: card for card in before if card.trouble != UNLISTED}
    cards = [
        _recognized(card, listed[card.index]) if card.index in listed else card for card in now
    ]
    uuids = {card.uuid for card in cards}
    for place, card in enumerate(before):
        gone = card.index >= len(now) if card.uuid is None else card.uuid not in uuids
        if gone:
            cards.insert(place, lost(card, UNLISTED))
    return tuple(cards)


def _recognized(card: Card, before: Card) -> Card:
    known = replace(card, uuid=card.uuid or before.uuid, name=card.name or before.name)
    return replace(known, total=before.total) if known.trouble else known


def reasons(report: CardsReport) -> list[str]:
    """The reasons why values are not available, a line each, always in the same order."""
    lines = [] if report.trouble is None else [report.trouble]
    lines += _refusals("driver", report.refused)
    for card in report.cards:
        name = f"GPU {card.index}"
        if card.trouble not in (None, report.trouble):
            lines.append(f"{name}: {card.trouble}")
        lines += _refusals(name, card.refused)
        for part in card.instances:
            lines += _refusals(f"{name} instance {part.index}", part.refused)
    return lines


def _refusals(whose: str, refused: dict[str, str]) -> list[str]:
    told = ((field.replace("_", " "), reason) for field, reason in refused.items())
    return [f"{whose}: {field} not available: {reason}" for field, reason in told]
