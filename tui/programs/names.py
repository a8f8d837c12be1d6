"""Who holds what is nobody's, as far as a program was asked and has told."""

from __future__ import annotations

from collections.abc import Mapping

from vramtop.protocol.observed.record import Holders
from vramtop.protocol.observed.report import StepReport

_MOST = 4096  # addresses in one question
_SHARE = 0.01  # of the peak


class Names:
    """The names of blocks, by device and address; empty where the program found nobody.

    A name holds as long as each watched step has a block of the same size there.
    """

    def __init__(self) -> None:
        self.waiting = False  # for an answer
        self._told: dict[str, dict[int, str]] = {}
        self._sizes: dict[str, dict[int, int]] = {}

    def of(self, device: str) -> Mapping[int, str]:
        """The names on this device."""
        return self._told.get(device, {})

    def add(self, answer: Holders) -> None:
        """The program has told these."""
        self.waiting = False
        told = self._told.setdefault(answer.device, {})
        told.update((holder.address, holder.what) for holder in answer.holders)

    def keep(self, device: str, blocks: Mapping[int, int]) -> None:
        """Forget the names of what is not alive any more: these are, with their sizes."""
        before, self._sizes[device] = self._sizes.get(device, {}), dict(blocks)
        told = self._told.get(device, {})
        self._told[device] = {
            address: what
            for address, what in told.items()
            if address in blocks and before.get(address, blocks[address]) == blocks[address]
        }

    def unasked(self, device: str, report: StepReport, *, all_: bool = False) -> tuple[int, ...]:
        """The largest blocks of which the program was not asked.

        There are none where they have less than a hundredth of the peak, unless `all_` are wanted.
        """
        known = self.of(device)
        blocks = [block for block in report.unknown if block[0] not in known][:_MOST]
        enough = all_ or sum(size for _, size in blocks) > report.peak.bytes * _SHARE
        return tuple(address for address, _ in blocks) if enough else ()
