"""Whether the program starts or stops a history of CUDA's allocator itself."""

from __future__ import annotations

from collections.abc import Callable

from ..private_cuda import HISTORY_FUNCTIONS, C


class HistoryCalls:
    """Calls `noted` before the program starts or stops a history, from `hear` to `ignore`."""

    def __init__(self, noted: Callable[[], None]) -> None:
        self._noted = noted
        self._replaced: dict[str, tuple[Callable[..., object], Callable[..., object]]] = {}

    def hear(self) -> None:
        """Call `noted` from now on."""
        for name in HISTORY_FUNCTIONS:
            if (record := getattr(C, name, None)) is not None:
                noting = self._noting(record)
                self._replaced[name] = record, noting
                setattr(C, name, noting)

    def ignore(self) -> None:
        """Stop calling `noted`; PyTorch's own functions are put back."""
        while self._replaced:
            name, (record, noting) = self._replaced.popitem()
            if getattr(C, name) is noting:
                setattr(C, name, record)

    def _noting(self, record: Callable[..., object]) -> Callable[..., object]:
        def noting(*args: object, **kwargs: object) -> object:
            self._noted()
            return record(*args, **kwargs)

        return noting
