# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one clock and the one rhythm of waiting."""
from __future__ import annotations

import queue
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

FIRST, GROWTH, LONGEST = 0.25, 1.5, 15.0  # seconds between two looks
PATIENCE = 120.0  # seconds that IAM and other slow mirrors get (Terraform's propagation timeout)


class Clock:
    """Real time; tests put a virtual one in its place."""

    def __init__(self, seed: int | None = None):
        self._random = random.Random(seed)

    def now(self) -> float:
        """Seconds, monotonic."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """For worker threads only."""
        time.sleep(seconds)

    def get(self, inbox: queue.Queue, timeout: float):
        """The next message, or None after `timeout` seconds."""
        try:
            return inbox.get(timeout=max(timeout, 0))
        except queue.Empty:
            return None

    def pool(self, width: int) -> ThreadPoolExecutor:
        """The worker threads whose calls this clock is for."""
        return ThreadPoolExecutor(width)

    def jitter(self, seconds: float) -> float:
        """`seconds` within ten percent, so that many waiters do not ask in step."""
        return seconds * self._random.uniform(0.9, 1.1)


@dataclass
class Patience:
    """Rhythm and deadline of one wait: quick looks at first, then 3 % of the usual duration."""

    clock: Clock
    usual: float  # seconds
    deadline: float = 0
    _step: float = FIRST

    def __post_init__(self):
        self.deadline = self.deadline or self.clock.now() + max(300.0, 4 * self.usual)

    def pause(self) -> float | None:
        """Seconds until the next look; None when the deadline has passed."""
        left = self.deadline - self.clock.now()
        if left <= 0:
            return None
        step = min(self._step, max(1.0, 0.03 * self.usual), LONGEST)
        self._step *= GROWTH
        return min(self.clock.jitter(step), left + 0.01)
