# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Control-C and SIGTERM while a module runs: the module ends its work, and what is left is told.

Ansible's worker passes a signal on to the module and ends at once, as does the main process; so
nobody would hear what the module says last. Here the worker waits for the module, and writes to
where the main process writes, for its own way there has ended with the main process.
"""
from __future__ import annotations

import multiprocessing
import os
import signal
import threading

SIGNALS = (signal.SIGINT, signal.SIGTERM)
AGAIN = 1.0  # seconds after which a module that has just begun is told once more


class Stop:
    """Set while the block runs; `number` is the signal that came, or 0."""

    def __init__(self):
        self.number, self._before, self._output = 0, {}, None
        # A worker is the first of a process group of its own, in which the module runs.
        self.possible = os.getpgrp() == os.getpid() and multiprocessing.parent_process() \
            and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> "Stop":
        if self.possible:
            self._output = _output_of(os.getppid())
            self._before = {n: signal.signal(n, self._pass_on) for n in SIGNALS}
        return self

    def __exit__(self, *_error) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _pass_on(self, number: int, _frame) -> None:
        if not self.number:  # else it is one's own, or an impatient main process
            self.number = number
            self.again()

    def again(self) -> None:
        """Tells the module once more, which does no harm, in case that it could not hear yet."""
        os.killpg(os.getpgrp(), self.number)

    def say(self, text: str) -> None:
        """Writes to the terminal, pipe or file of the main process, if that can be reached."""
        try:
            if text and self._output is not None:
                os.write(self._output, f"{text}\n".encode())
        except OSError:
            pass  # nobody reads any more

    def end(self, text: str) -> None:
        """Says one thing more, and ends the worker: nobody waits for its result."""
        self.say(text)
        os._exit(1)


def hear_nothing() -> None:
    """In a thread: leaves the signals to the main one, which waits, and which only they wake."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _output_of(pid: int) -> int | None:
    """Where a process writes its standard output, opened for this process, too."""
    try:
        return os.open(f"/proc/{pid}/fd/1", os.O_WRONLY | os.O_APPEND | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
