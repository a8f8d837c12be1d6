"""Names for blocks in no category: who holds them, as the program itself has answered."""

from __future__ import annotations

from collections.abc import Mapping

from vramtop.protocol.observed.record import Holders
from vramtop.protocol.observed.report import StepReport

_MOST = 4096  # addresses in one question
_SHARE = 0.01  # of the peak


class Names:
    """The names of blocks, by device and address; a name is empty where nobody was found.

    A name holds as long as each watched step has a block of the same size there.
    """

    def __init__(self) -> None:
        self.waiting = False  # for an answer
        self._names: dict[str, dict[int, str]] = {}
        self._sizes: dict[str, dict[int, int]] = {}

    def of(self, device: str) -> Mapping[int, str]:
        """The names on this device."""
        return self._names.get(device, {})

    def add(self, answer: Holders) -> None:
        """Add what the program has answered."""
        self.waiting = False
        names = self._names.setdefault(answer.device, {})
        names.update((holder.address, holder.what) for holder in answer.holders)

    def keep(self, device: str, blocks: Mapping[int, int]) -> None:
        """Keep the names of these blocks alone, which are alive: address → bytes."""
        before, self._sizes[device] = self._sizes.get(device, {}), dict(blocks)
        names = self._names.get(device, {})
        self._names[device] = {
            address: what
            for address, what in names.items()
            if address in blocks and before.get(address, blocks[address]) == blocks[address]
        }

    def unasked(self, device: str, report: StepReport, *, all_: bool = False) -> tuple[int, ...]:
        """The addresses of the largest blocks in no category whose holders were not asked for.

        Empty where these blocks are less than a hundredth of the peak, unless `all_` are wanted.
        """
        known = self.of(device)
        blocks = [block for block in report.unknown if block[0] not in known][:_MOST]
        enough = all_ or sum(size for _, size in blocks) > report.peak.bytes * _SHARE
        return tuple(address for address, _ in blocks) if enough else ()
