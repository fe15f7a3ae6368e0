# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whole processes, timed: wall clock, processor time and memory."""
from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# As on a machine where nobody has told Python not to keep what it has compiled.
UNSET = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")


class Failed(Exception):
    """A measured process did not end as it should."""


class Missing(Exception):
    """What a work needs is not on this machine."""


@dataclass
class Sample:
    """One run of one process, with all that it started."""

    seconds: float
    cpu: float  # seconds of all processors together, user and system
    calls: int = 0  # requests that reached the lab


@dataclass
class Command:
    """What to run, and how to get ready for it."""

    name: str
    arguments: list
    environment: dict = field(default_factory=dict)
    folder: Path = ROOT
    prepare: object = None  # called before each run, not measured
    codes: tuple = (0,)


@dataclass
class Measured:
    """All samples of one command."""

    name: str
    samples: list = field(default_factory=list)

    def median(self, what: str = "seconds") -> float:
        return statistics.median(getattr(s, what) for s in self.samples)

    def spread(self, what: str = "seconds") -> tuple[float, float]:
        values = [getattr(s, what) for s in self.samples]
        return min(values), max(values)

    def as_dict(self) -> dict:
        return {"name": self.name, "samples": [asdict(s) for s in self.samples]}


def surroundings(command: Command) -> dict:
    """The environment of a measured process."""
    own = {name: value for name, value in os.environ.items() if name not in UNSET}
    return {**own, **command.environment}


def once(command: Command, lab=None) -> Sample:
    """One run. The usage is that of the process and of all it waited for."""
    if command.prepare:
        command.prepare()
    if lab:
        lab.forget_calls()
    with tempfile.TemporaryFile("w+") as output:
        begun = time.monotonic()
        process = subprocess.Popen(
            [str(a) for a in command.arguments], cwd=command.folder, stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, env=surroundings(command))
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in command.codes:
            output.seek(0)
            raise Failed(f"{command.name} ended with {process.returncode}:\n"
                         f"{output.read()[-3000:]}")
    return Sample(seconds, usage.ru_utime + usage.ru_stime, lab.calls()["calls"] if lab else 0)


def largest_below(command: Command) -> float:
    """Megabytes of the module's process at its most; it is looked at often."""
    process = subprocess.Popen(
        [str(a) for a in command.arguments], cwd=command.folder, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=surroundings(command))
    most = 0
    while process.poll() is None:
        most = max([most, *(_peak(pid) for pid in _below(process.pid))])
        time.sleep(0.02)
    return most / 1024


def _below(pid: int) -> list[int]:
    """All processes that a process has started, and those have."""
    try:
        own = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [found for child in map(int, own) for found in (child, *_below(child))]


def _peak(pid: int) -> int:
    """Kilobytes of memory that a process held at its most; 0 for a fork of Ansible's own."""
    try:
        if b"process.py" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return 0
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def alternate(commands: list[Command], runs: int, lab=None, say=print) -> dict[str, Measured]:
    """A B A B ...: what else the machine does then falls on all of them alike."""
    found = {c.name: Measured(c.name) for c in commands}
    for turn in range(runs):
        for command in commands:
            sample = once(command, lab)
            found[command.name].samples.append(sample)
            say(f"  {turn + 1}/{runs} {command.name}: {sample.seconds:.2f} s, "
                f"processor {sample.cpu:.2f} s, {sample.calls} calls")
    return found
