"""Find the Python interpreters of this machine that the collection can use, and pip's settings.

Runs on any Python 3 without packages: it is what chooses the Python for everything else.
"""

import glob
import os
import re
import subprocess

# One line of ansible-core each: name, lowest and highest Python, lock file, environment.
LINES = {
    "py312": {"low": (3, 12), "high": (3, 14), "lock": "py312.lock"},
    "py311": {"low": (3, 11), "high": (3, 11), "lock": "py311.lock"},
}

# Asked of every candidate. A wrapper (pyenv's shims are some) answers with the real binary,
# an environment with the interpreter under it. ensurepip is a package of its own on Debian.
PROBE = """
import importlib.util as u, sys
base = getattr(sys, "_base_executable", sys.executable) or sys.executable
whole = all(u.find_spec(name) for name in ("venv", "ensurepip"))
print(sys.version_info[0], sys.version_info[1], sys.version_info[2], int(whole), base)
"""


def candidates():
    """Paths that look like a Python 3 interpreter, each once."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    folders += ["/usr/bin", "/usr/local/bin"]
    folders += glob.glob("/opt/python*/bin")
    home = os.path.expanduser("~")
    pyenv = os.environ.get("PYENV_ROOT") or os.path.join(home, ".pyenv")
    folders += glob.glob(os.path.join(pyenv, "versions", "*", "bin"))
    folders += glob.glob(os.path.join(home, ".local", "share", "uv", "python", "*", "bin"))
    seen = {}
    for folder in folders:
        for path in glob.glob(os.path.join(folder, "python3*")):
            real = os.path.realpath(path)
            name = re.fullmatch(r"python3(?:\.(\d+))?", os.path.basename(real))
            if name and int(name[1] or 99) >= 11:
                seen.setdefault(real, path)
    return list(seen.values())


def probe(path):
    """What an interpreter says of itself, or None where it does not run."""
    try:
        out = subprocess.run([path, "-I", "-c", PROBE], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    major, minor, micro, whole, real = out.decode().strip().split(" ", 4)
    return {"version": (int(major), int(minor), int(micro)), "whole": whole == "1", "path": real}


def find():
    """For each line of ansible-core the newest fitting interpreter, whole ones first."""
    found = [python for python in map(probe, candidates()) if python]
    chosen = {}
    for name, line in LINES.items():
        fits = [p for p in found if line["low"] <= p["version"][:2] <= line["high"]]
        if fits:
            chosen[name] = max(fits, key=lambda p: (p["whole"], p["version"]))
    return chosen


def pip_settings(pip):
    """pip's own settings from its files and the environment, as {"index-url": ...}."""
    listing = subprocess.run([pip, "config", "list"], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, check=False).stdout.decode()
    settings = {}
    for line in listing.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            settings[key.rpartition(".")[2]] = value.strip("'\"")
    return settings
