"""Processes that end with the one that started them, however that one ends."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

PR_SET_PDEATHSIG = 1  # prctl(2)
# The kernel counts the end of the thread that forked as the parent's end; this thread stays.
_starter = ThreadPoolExecutor(1, "starter")


def start(command, log, user=""):
    """Start a program that is killed when this process is gone, as another user where root wants
    it so; a subprocess.Popen."""
    arguments = [sys.executable, "-I", "-S", __file__, str(os.getpid()),
                 user if os.geteuid() == 0 else "", *map(str, command)]
    with open(log, "ab") as file:
        return _starter.submit(
            subprocess.Popen, arguments, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            start_new_session=True).result()


def stop(processes):
    """Kill: nothing of a lab's cluster has to be saved."""
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()


def become():
    """In the child, before the program: be killed with the parent, who may be gone by now."""
    parent, user, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    if user:  # before the next line, whose wish does not outlive a change of users
        os.chdir("/")
        entry = pwd.getpwnam(user)
        os.initgroups(user, entry.pw_gid)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the lab is gone")
    os.execv(command[0], command)


if __name__ == "__main__":
    become()
