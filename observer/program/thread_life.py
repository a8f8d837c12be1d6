"""Whether a thread still runs.

Its frames are not looked at: whoever holds one for a moment keeps the tensors in it alive.
"""

from __future__ import annotations

import threading
import weakref


class ThreadLife:
    """Of the thread in which this is made."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._local.token = token = _Token()
        self._token = weakref.ref(token)

    @property
    def is_over(self) -> bool:
        """Whether that thread has ended; Python drops then what is local to it."""
        return self._token() is None


class _Token:
    """Only its end counts."""
