"""Small questions about processes, answered from /proc."""

import os
from pathlib import Path


def started(pid):
    """When the process started, in clock ticks since boot: with the pid, its identity."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rsplit(")", 1)[1].split()
    return None if fields[0] == "Z" else int(fields[19])


def owner_of(port, server):
    """The process that holds the end `port` of a TCP connection whose other end is `server`.

    Another process may have a connection elsewhere with the same port.
    """
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _number, *ends, _state, _queues, _timer, _retries, _user, _timeout, inode = \
                line.split()[:10]
            if [int(end.rsplit(":", 1)[1], 16) for end in ends] == [port, server]:
                inodes.add(f"socket:[{inode}]")
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and holds(entry / "fd", inodes):
            return int(entry.name)
    return None


def holds(folder, inodes):
    try:
        return any(os.readlink(fd) in inodes for fd in folder.iterdir())
    except OSError:
        return False
