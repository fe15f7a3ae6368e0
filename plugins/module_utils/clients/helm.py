# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The helm program, for what only it can do: https://helm.sh/docs/helm/."""
from __future__ import annotations

import os
import re
import subprocess
import tempfile

from ..engine.errors import Failure, ServiceFailure, Unreachable
from .errors import WriteRefused
from .kubeconfig import write_private
from .kubernetes import Cluster

SPARE = 60  # seconds beyond helm's own limit, after which it is given up


class HelmFailed(ServiceFailure):
    """Helm ended with a failure; nothing of it is to be tried again."""


class Helm:
    """Runs helm against a cluster; values go through a file that nobody else may read."""

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
            if values is not None:
                command += ["--values", write_private(os.path.join(folder, "values"), values)]
            return self._run(command, seconds + SPARE)

    @staticmethod
    def _run(command: list, seconds: float) -> str:
        try:
            # pylint: disable-next=ansible-bad-function  # clients know no module of Ansible
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds,
                                  check=False, stdin=subprocess.DEVNULL)
        except FileNotFoundError:
            raise Failure(f"helm: there is no program {command[0]}; install Helm, or name it in "
                          "helm_binary") from None
        except subprocess.TimeoutExpired:
            raise Unreachable("Helm", f"no end after {seconds:.0f} s", command[1]) from None
        if done.returncode:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()
                     and not re.match(r"(WARNING|level=|time=|[IWE]\d{4} )", line)]
            text = "; ".join(line.removeprefix("- ") for line in lines).replace(":; ", ": ")
            text = text or done.stdout.strip() or f"ended with {done.returncode}"
            raise HelmFailed("Helm", text.removeprefix("Error: ")[-800:], command[1])
        return done.stdout
