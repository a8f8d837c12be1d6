"""Conclusions from what NVML says: who holds memory, which GPUs a process sees, what is missing.

Pure: no NVML in here, no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from msgspec.structs import replace
from vramtop.protocol.gpus import Gpu, GpusReport

UNLISTED = "NVML no longer lists this GPU"


class Occupancy(msgspec.Struct, frozen=True):
    """Who holds a GPU's memory, in bytes; the parts add up to `total`.

    `driver` is None where NVML does not give the driver's part, `ours` where our part is unknown.
    `others` then includes it.
    """

    total: int
    driver: int | None
    others: int
    ours: int | None
    free: int


def used_by(gpu: Gpu, pids: Collection[int]) -> int | None:
    """The bytes that these processes hold on the GPU, by NVML.

    None where NVML lists none of them, as in many containers, or does not give their bytes.
    """
    ours = [process.used for process in gpu.processes or () if process.pid in pids]
    known = [used for used in ours if used is not None]
    return sum(known) if known and len(known) == len(ours) else None


def occupancy(gpu: Gpu, ours: int | None) -> Occupancy | None:
    """Who holds the GPU's memory when `ours` bytes of it are our own; None without total and free.

    Total, reserved and free come in one answer of NVML. Bytes that are neither reserved nor free
    are in use. `ours` may be of another moment, so it is limited to the bytes in use; the others
    hold the rest.
    """
    if gpu.total is None or gpu.free is None:
        return None
    free = min(gpu.free, gpu.total)
    driver = None if gpu.reserved is None else min(gpu.reserved, gpu.total - free)
    in_use = gpu.total - free - (driver or 0)
    if ours is not None:
        ours = min(ours, in_use)
    return Occupancy(gpu.total, driver, in_use - (ours or 0), ours, free)


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


def lost(gpu: Gpu, trouble: str) -> Gpu:
    """A GPU that cannot be asked: its index, and the fields that never change."""
    return Gpu(gpu.index, gpu.uuid, gpu.name, total=gpu.total, bus=gpu.bus, trouble=trouble)


def keep_places(before: Sequence[Gpu], now: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """The GPUs of `now`; those of `before` that NVML no longer lists keep their places.

    A GPU that does not tell its name or UUID now is taken for the one with its index before.
    """
    listed = {gpu.index: gpu for gpu in before if gpu.trouble != UNLISTED}
    gpus = [_recognized(gpu, listed[gpu.index]) if gpu.index in listed else gpu for gpu in now]
    uuids = {gpu.uuid for gpu in gpus}
    for place, gpu in enumerate(before):
        gone = gpu.index >= len(now) if gpu.uuid is None else gpu.uuid not in uuids
        if gone:
            gpus.insert(place, lost(gpu, UNLISTED))
    return tuple(gpus)


def _recognized(gpu: Gpu, before: Gpu) -> Gpu:
    known = replace(
        gpu,
        uuid=gpu.uuid or before.uuid,
        name=gpu.name or before.name,
        bus=gpu.bus or before.bus,
    )
    return replace(known, total=before.total) if known.trouble else known


class Unavailable(msgspec.Struct, frozen=True):
    """The `reason` why NVML does not give a field of a GPU, or of an `instance` of it.

    `gpu` is None for the driver, `field` for all that NVML would tell of it.
    """

    reason: str
    field: str | None = None
    gpu: int | None = None
    instance: int | None = None


def unavailable(report: GpusReport) -> list[Unavailable]:
    """What NVML does not give, always in the same order."""
    found = list[Unavailable]()
    if report.trouble is not None:
        found.append(Unavailable(report.trouble))
    found += [Unavailable(reason, field) for field, reason in report.refused.items()]
    for gpu in report.gpus:
        if gpu.trouble is not None and gpu.trouble != report.trouble:
            found.append(Unavailable(gpu.trouble, None, gpu.index))
        found += [Unavailable(reason, field, gpu.index) for field, reason in gpu.refused.items()]
        for part in gpu.instances:
            found += [
                Unavailable(reason, field, gpu.index, part.index)
                for field, reason in part.refused.items()
            ]
    return found
