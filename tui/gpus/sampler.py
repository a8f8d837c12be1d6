"""Samples the GPUs in a thread of its own, so that the monitor never waits for a slow driver."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator

from vramtop.protocol.gpus import GpusReport

from .conclusions import lost
from .nvml import NO_DRIVER
from .processes import Look
from .readings import Reader

SECONDS = 1.0
RETRY_SECONDS = 10.0
PATIENCE_SECONDS = 5.0
CLOSE_SECONDS = 0.25


class Sampler:
    """Asks NVML once in `seconds`, from its creation until `close`.

    After a failure of NVML or of one GPU, NVML is initialized anew. The waits between the attempts
    double up to `RETRY_SECONDS`; on a machine without a driver each is that long.

    `look` says which processes can be looked into.
    """

    def __init__(
        self,
        seconds: float = SECONDS,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        look: Look | None = None,
    ) -> None:
        self._look = look
        self._seconds = seconds
        self._patience = patience_seconds
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._latest: GpusReport | Exception | None = None
        self._asking_since: float | None = None
        self._closing = threading.Event()
        # A daemon thread, so that the program can end while a call hangs in the driver.
        self._thread = threading.Thread(target=self._run, name="nvml", daemon=True)
        self._thread.start()

    async def reports(self) -> AsyncIterator[GpusReport]:
        """Each report that differs from the one before; of several that wait, only the latest.

        Ends when the sampler is closed. A driver that has not answered for `patience_seconds` is
        reported too. An exception in the thread, which is a bug, is raised here.
        """
        last = GpusReport()
        while True:
            try:
                await asyncio.wait_for(self._news.wait(), self._patience)
                self._news.clear()
                report = self._latest
            except asyncio.TimeoutError:
                report = self._unanswered(last)
            if self._closing.is_set():
                return
            if isinstance(report, Exception):
                raise report
            if report is not None and report != last:
                last = report
                yield report

    def close(self) -> None:
        """End the thread, and wait for it unless the driver holds it."""
        self._closing.set()
        self._news.set()
        self._thread.join(CLOSE_SECONDS)

    def _unanswered(self, last: GpusReport) -> GpusReport | None:
        since = self._asking_since
        if since is None or time.monotonic() - since < self._patience:
            return None
        trouble = f"the driver has not answered for {self._patience:g} s"
        return GpusReport(
            tuple(lost(gpu, trouble) for gpu in last.gpus),
            driver_version=last.driver_version,
            cuda_version=last.cuda_version,
            trouble=trouble,
        )

    # ---- in the thread ----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._sample()
        except Exception as mistake:  # `reports` raises it
            self._hand_over(mistake)

    def _sample(self) -> None:
        reader = Reader(self._look)
        failures, retry_at = 0, 0.0
        while not self._closing.is_set():
            self._asking_since = time.monotonic()
            report = reader.read()
            self._asking_since = None
            self._hand_over(report)
            now, pause = time.monotonic(), self._seconds
            if report.trouble is None and not any(gpu.trouble for gpu in report.gpus):
                failures, retry_at = 0, 0.0
            elif now >= retry_at:
                reader.close()
                retry_at = now + retry_seconds(report.trouble, failures, self._seconds)
                failures += 1
            if report.trouble is not None:
                pause = retry_at - now  # if only a GPU is lost, the others are asked as before
            self._closing.wait(pause)
        reader.close()

    def _hand_over(self, news: GpusReport | Exception) -> None:
        try:
            self._loop.call_soon_threadsafe(self._take, news)
        except RuntimeError:  # the event loop has ended before the sampler
            self._closing.set()

    def _take(self, news: GpusReport | Exception) -> None:
        self._latest = news
        self._news.set()


def retry_seconds(trouble: str | None, failures: int, seconds: float) -> float:
    """How long to wait before NVML is initialized anew, after `failures` others before this one."""
    if trouble == NO_DRIVER:
        return RETRY_SECONDS
    return min(RETRY_SECONDS, seconds * 2.0 ** min(failures, 60))
