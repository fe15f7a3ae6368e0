# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The helm program, for what only it can do: https://helm.sh/docs/helm/."""
from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from ..engine.errors import Failure, ServiceFailure
from .errors import WriteRefused
from .kubeconfig import documents, yaml
from .kubernetes import Cluster

# Becomes helm; helm is killed when the thread that waits for it is gone, so that what comes after a
# killed run has no helm of that run beside it. https://man7.org/linux/man-pages/man2/prctl.2.html
# (PR_SET_PDEATHSIG is 1); other systems have no such call.
BECOME = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the run has ended")
os.execv(sys.argv[2], sys.argv[2:])
"""
SPARE = 60  # seconds beyond helm's own limit, after which it is told to end, and to end then


def described(chart: str) -> dict:
    """What a chart on this machine says of itself; nothing of one that is elsewhere."""
    try:
        with open(os.path.join(chart, "Chart.yaml"), encoding="utf-8") as file:
            return dict(documents(file)[0])
    except (OSError, IndexError, TypeError, ValueError, yaml.YAMLError):
        return {}


class HelmFailed(ServiceFailure):
    """Helm ended with a failure; nothing of it is to be tried again."""


class Helm:
    """Runs helm against a cluster; values go through its standard input."""

    def __init__(self, api: Cluster, binary: str):
        self.api, self.binary = api, binary
        self._major = None

    @property
    def major(self) -> int:
        """The program's major version, asked once."""
        if self._major is None:
            said = self._run([self.binary, "version", "--template", "{{.Version}}"], 30)
            self._major = int(re.match(r"v?(\d+)", said.strip())[1])
        return self._major

    @property
    def asking(self) -> list[str]:
        """The words with which a template asks the cluster what it has; it changes nothing."""
        return ["--dry-run=server", *(["--validate"] if self.major < 4 else [])]

    def call(self, words: list, seconds: float, values: dict | None = None,
             reads: bool = False) -> str:
        """What helm prints."""
        if self.api.read_only and not reads:
            raise WriteRefused(f"helm {words[0]} is a write, and this run may only read")
        self.api.count(reads)
        with tempfile.TemporaryDirectory(prefix="groundwork-helm-") as folder:
            path, context = self.api.connection.kubeconfig(folder)
            command = [self.binary, *words, "--kubeconfig", path]
            command += ["--kube-context", context] if context else []
            if values is None:
                return self._run(command, seconds + SPARE)
            return self._run([*command, "--values", "-"], seconds + SPARE, json.dumps(values))

    @staticmethod
    def _run(command: list, seconds: float, text: str = "") -> str:
        path = shutil.which(command[0])
        if not path:
            raise Failure(f"helm: there is no program {command[0]}; install Helm, or name it in "
                          "helm_binary")
        start = [sys.executable, "-I", "-S", "-c", BECOME, str(os.getpid()), path, *command[1:]]
        # pylint: disable-next=ansible-bad-function  # clients know no module of Ansible
        with subprocess.Popen(start, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as program:
            try:
                output, errors = program.communicate(text, timeout=seconds)
            except subprocess.TimeoutExpired:
                program.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    program.communicate(timeout=SPARE)
                raise HelmFailed("Helm", f"no end after {seconds:.0f} s, and was ended; see what "
                                 "it has left with helm history", command[1]) from None
            finally:
                program.kill()
        if program.returncode:
            lines = [line.strip() for line in errors.splitlines() if line.strip()
                     and not re.match(r"(WARNING|level=|time=|[IWE]\d{4} )", line)]
            text = "; ".join(line.removeprefix("- ") for line in lines).replace(":; ", ": ")
            text = text or output.strip() or f"ended with {program.returncode}"
            raise HelmFailed("Helm", text.removeprefix("Error: ")[-800:], command[1])
        return output
