"""What a window notes on one device, by places: marks, owners, and the modules that ran."""

from __future__ import annotations

import weakref
from bisect import bisect_right
from collections.abc import Iterable
from copy import copy

import torch
from torch import Tensor

from ..ownership import stored_on
from ..private import unwrapped
from ..private_cuda import free_and_total
from .lines import NOWHERE, Lines
from .owners import Owned
from .recorder import Reading, Recorder
from .tensor_names import TensorNames

Message = dict[str, object]


class DeviceLog:
    """Notes for one device. It keeps no tensor alive."""

    def __init__(self, recorder: Recorder, device: torch.device) -> None:
        self.device = device
        self.recorder = recorder
        self._marks: list[tuple[str, Reading]] = []
        self._sightings: list[tuple[int, int, str, int, str]] = []
        self._names = TensorNames()
        self._running: list[tuple[int, int]] = []  # places, and the module that runs from there on
        self._gradients: dict[int, weakref.ref[Tensor]] = {}
        self._state: dict[int, weakref.ref[Tensor]] = {}
        self._expected: Reading | None = None
        self._free: tuple[int, int] | None = None

    def expect_mark(self) -> None:
        """Remember this place for the next mark, which may be set only later."""
        self._expected = self.recorder.read(self.device)

    def mark(self, kind: str, *, expected: bool = False) -> None:
        """Mark that something happens: here, or at the place that `expect_mark` remembered."""
        reading = self._expected if expected else None
        self._marks.append((kind, reading or self.recorder.read(self.device)))

    def runs(self, module: int) -> None:
        """The module of this number runs from here on; -1 for none."""
        self._running.append((self.recorder.read(self.device).place, module))

    def sight(
        self, owner: str, owned: Iterable[Owned], *, older: bool, mark: int | None = None
    ) -> None:
        """These tensors belong to this owner here, or did so at the mark of this number.

        `older` says whether what was not seen before is older than the window.
        """
        found = []
        for each in owned:
            for tensor in stored_on(self.device, unwrapped(each.tensor)):
                try:
                    storage = tensor.untyped_storage()
                except (NotImplementedError, RuntimeError):
                    continue  # it has none of its own: `torch.func` works on such
                if size := storage.nbytes():
                    address = self.recorder.address(storage, older=older) + self._offset(tensor)
                    found.append((address, owner, self._names.add(each, tensor, size), each.key))
        here = self.recorder.read(self.device) if mark is None else self._marks[mark][1]
        self._sightings += [(here.place, *sighting) for sighting in found]

    def _offset(self, tensor: Tensor) -> int:
        """Where in its memory a tensor begins, in bytes; 0 where an address is only a number."""
        if self.recorder.source == "operators" or not tensor.numel():
            return 0
        return int(tensor.storage_offset()) * tensor.itemsize

    def sight_gradients(self, parameters: Iterable[Owned], *, again: bool) -> None:
        """Note the gradients that these parameters have here; unless `again`, those elsewhere."""
        changed = []
        for each in parameters:
            parameter = each.tensor
            # A buffer that forward computed has no `.grad`, and PyTorch warns of asking.
            gradient = parameter.grad if parameter.is_leaf else None
            if gradient is None:
                self._gradients.pop(id(parameter), None)
                continue
            known = self._gradients.get(id(parameter))
            if again or known is None or known() is not gradient:
                self._gradients[id(parameter)] = weakref.ref(gradient)
                changed.append(each._replace(tensor=gradient))
        self.sight("gradients", changed, older=self._begins)

    def sight_state(self, state: Iterable[Owned], *, again: bool) -> None:
        """Note this state of optimizers; unless `again`, the tensors that were not noted before."""
        changed = []
        for each in state:
            known = self._state.get(id(each.tensor))
            if again or known is None or known() is not each.tensor:
                self._state[id(each.tensor)] = weakref.ref(each.tensor)
                changed.append(each)
        self.sight("optimizer_state", changed, older=self._begins)

    def note_free(self) -> None:
        """Note what of the whole GPU is free by CUDA, if the pool is as it was at the last mark."""
        if self.recorder.source == "trace" and not torch.cuda.is_current_stream_capturing():
            try:
                told = free_and_total(self.device)
            except RuntimeError:
                return  # the step is told without it
            if self.recorder.read(self.device).reserved == self._marks[-1][1].reserved:
                self._free = told

    def told_by(self, recorder: Recorder) -> DeviceLog:
        """The same notes with what another recorder has recorded."""
        log = copy(self)
        log.recorder = recorder
        return log

    @property
    def _begins(self) -> bool:
        """Whether nothing has happened since the window's first mark."""
        return len(self._marks) == 1

    def message(self, bounds: tuple[int, ...], lines: Lines) -> Message:
        """What happened from the first of these three marks to the last, places from 0 there.

        Raises `CannotRecord` where the allocations are not known completely.
        """
        begin, cut, end = (self._marks[bound][1].place for bound in bounds)
        recorded = self.recorder.recorded(self.device, lines)
        blocks, block_lines = dict(recorded.blocks), dict(recorded.block_lines)
        for number in range(len(recorded.addresses) - 1, end - 1, -1):
            # The allocator went on after the window's end.
            address, size = recorded.addresses[number], recorded.sizes[number]
            if size > 0:
                del blocks[address]
                block_lines.pop(address, None)
            else:
                blocks[address] = -size
        return {
            "device": str(self.device),
            "source": self.recorder.source,
            "cut": cut - begin,
            "marks": self._marks_between(bounds, begin),
            "events": {
                "addresses": recorded.addresses[begin:end],
                "sizes": recorded.sizes[begin:end],
                "lines": recorded.lines[begin:end],
                "modules": self._modules(recorded.sizes, begin, end),
            },
            "blocks": list(blocks.items()),
            "block_lines": [block_lines.get(address, NOWHERE) for address in blocks],
            "sightings": [
                [place - begin, *rest] for place, *rest in self._sightings if begin <= place <= end
            ],
            "names": self._names.values,
            "lines": lines.texts,
            "hardware": _hardware(self.device),
            "cuda_free": self._free[0] if self._free else None,
            "cuda_total": self._free[1] if self._free else None,
        }

    def _marks_between(self, bounds: tuple[int, ...], begin: int) -> list[list[object]]:
        first, _, last = bounds
        marks: list[list[object]] = []
        for number in range(first, last + 1):
            kind, (place, *figures) = self._marks[number]
            if number > first:
                marks.append([place - begin, kind, *figures])
            marks += [[place - begin, "period", *figures]] * bounds.count(number)
        return marks

    def _modules(self, sizes: list[int], begin: int, end: int) -> list[int]:
        """The module that ran at each event; -1 for a release."""
        places = [place for place, _ in self._running]
        running = [NOWHERE, *(module for _, module in self._running)]
        return [
            NOWHERE if sizes[number] < 0 else running[bisect_right(places, number)]
            for number in range(begin, end)
        ]


def _hardware(device: torch.device) -> Message | None:
    """What a GPU is called, and how much memory it has; None for a CPU."""
    if device.type != "cuda":
        return None
    facts = torch.cuda.get_device_properties(device)
    return {
        "name": facts.name,
        "uuid": str(getattr(facts, "uuid", "")),
        "total_bytes": facts.total_memory,
    }
