# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one clock and the one rhythm of waiting."""
from __future__ import annotations

import queue
import random
import time
from concurrent.futures import ThreadPoolExecutor

FIRST, GROWTH, LONGEST = 0.25, 1.5, 15.0  # seconds between two looks
LIMIT = 600.0  # seconds that everything gets
PATIENCE = 120.0  # seconds that IAM and other slow mirrors get (Terraform's propagation timeout)


class Clock:
    """Real time and real threads; tests put virtual ones in their place."""

    now = staticmethod(time.monotonic)  # seconds
    sleep = staticmethod(time.sleep)  # for worker threads only
    pool = ThreadPoolExecutor  # so many worker threads, whose calls this clock is for

    def get(self, inbox: queue.Queue, timeout: float):
        """The next message, or None after `timeout` seconds."""
        try:
            return inbox.get(timeout=max(timeout, 0))
        except queue.Empty:
            return None

    def jitter(self, seconds: float) -> float:
        """`seconds` within ten percent, so that many waiters do not ask in step."""
        return seconds * random.uniform(0.9, 1.1)


def pauses(clock: Clock, usual: float, limit: float | None = None):
    """Seconds until each next look, up to a limit: quick at first, then 3 % of the usual duration.

    Without a limit it is four times the usual duration, but not less than `LIMIT`.
    """
    deadline, pause = clock.now() + (limit or max(LIMIT, 4 * usual)), FIRST
    while (left := deadline - clock.now()) > 0:
        yield min(clock.jitter(min(pause, max(1.0, 0.03 * usual), LONGEST)), left + 0.01)
        pause *= GROWTH
