# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real Redis and Sentinel on the loopback, by the files of the role redis_sentinel."""
from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
from tests.rendering import rendered

from lab.kube.pki import Authority

PASSWORD = "s3cr3t-canary-4711"
DOWN_AFTER = 1000  # ms
PATIENCE = 90  # seconds until all is as before
OTHER = {"redis": "sentinel_port", "sentinel": "redis_port"}  # which a pod does not have
PROGRAMS = ("redis-server", "redis-cli")


def programs() -> None:
    """Skips the test where Redis is not installed."""
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not found; as root: apt-get install redis-server")


class Answer(Exception):
    """An error that Redis answers with."""


class Client:
    """One connection, by the protocol's words (https://redis.io/docs/latest/develop/reference/
    protocol-spec/)."""

    def __init__(self, port: int, authority: Path, password: str | None,
                 timeout: float = 5):
        context = ssl.create_default_context(cafile=authority)
        plain = socket.create_connection(("localhost", port), timeout)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        self.lines = self.socket.makefile("rb")
        if password is not None:
            self("AUTH", password)

    def __call__(self, *words):
        coded = [str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(coded) + b"".join(
            b"$%d\r\n%s\r\n" % (len(word), word) for word in coded))
        return self._answer()

    def _answer(self):
        line = self.lines.readline()
        if not line:
            raise ConnectionError("closed")
        kind, text = line[:1], line[1:].strip().decode()
        if kind == b"-":
            raise Answer(text)
        if kind == b"$":
            return None if text == "-1" else self.lines.read(int(text) + 2)[:-2].decode()
        if kind == b"*":
            return [self._answer() for _item in range(max(int(text), 0))]
        return int(text) if kind == b":" else text

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


@dataclasses.dataclass
class Pod:
    """One process, where it would be a pod."""

    name: str
    port: int
    folder: Path
    process: subprocess.Popen | None = None

    @property
    def part(self) -> str:
        return "sentinel" if "sentinel" in self.name else "redis"

    def replace(self) -> None:
        """Another pod of this name: its volume stays, what was in memory does not."""
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGKILL)
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        (self.folder / "run").mkdir()
        self.start()

    def start(self) -> None:
        """The container, as the StatefulSet does it."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["sh", self.folder / "config" / "start.sh", self.part], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env={"PATH": os.environ["PATH"], "POD_NAME": self.name})

    def signal(self, number: int) -> None:
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait()

    def heal(self) -> None:
        """Lets it go on, or starts it again."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
        else:
            self.start()

    def script(self, name: str, *words) -> subprocess.CompletedProcess:
        """What `kubectl exec` would show of a script of the role."""
        return subprocess.run(["sh", self.folder / "config" / name, *map(str, words)], check=False,
                              capture_output=True, text=True, timeout=PATIENCE + 60)


class Group:
    """3 Redis and 3 Sentinels; `variables` are those of the role."""

    def __init__(self, folder: Path, **variables):
        programs()
        self.folder, self.password = folder, PASSWORD
        self.authority, names = folder / "tls" / "ca.crt", []
        self.variables = dict(redis_sentinel_auth_secret="acme/redis",
                              redis_sentinel_down_after=DOWN_AFTER, **variables)
        self._secrets()
        names = [f"{prefix}-{i}" for prefix in ("redis", "redis-sentinel") for i in range(3)]
        self.pods = {name: Pod(name, port, folder / name)
                     for name, port in zip(names, free_ports(len(names)))}
        self.redis = {p.port: p for p in self.pods.values() if p.part == "redis"}
        self.sentinels = [p for p in self.pods.values() if p.part == "sentinel"]

    def _secrets(self) -> None:
        """What the Secrets of the set hold."""
        authority = Authority()
        certificate, key = authority.serve("localhost")
        for name, text in {"tls/ca.crt": authority.pem, "tls/tls.crt": certificate,
                           "tls/tls.key": key, "auth/password": PASSWORD.encode()}.items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_bytes(text)

    def configure(self, **variables) -> None:
        """Writes what the ConfigMap of each pod holds, with more of the role's variables."""
        self.variables.update(variables)
        first = self.pods["redis-0"].port
        given = {pod.name: {
            **self.variables, "redis_sentinel_layout": {
                "bind": "127.0.0.1 -::1", "address": "localhost", "primary": "localhost",
                "primary_port": first, f"{pod.part}_port": pod.port, "metrics_port": 9121,
                OTHER[pod.part]: 0, "sentinel": "localhost", "data": str(pod.folder / "data"),
                "config": str(pod.folder / "config"), "auth": str(self.folder / "auth"),
                "tls": str(self.folder / "tls"), "run": str(pod.folder / "run"),
                "told": str(pod.folder / "told")}}
            for pod in self.pods.values()}
        for name, pod in self.pods.items():
            files = next(o["data"] for o in rendered("redis_sentinel", given[name])
                         if o["kind"] == "ConfigMap")
            for folder in ("config", "data"):
                (pod.folder / folder).mkdir(parents=True, exist_ok=True)
            for file, text in files.items():
                (pod.folder / "config" / file).write_text(text)

    def start(self) -> None:
        """All of them, until each knows of all others."""
        for pod in self.pods.values():
            pod.replace()
        self.whole()

    def stop(self) -> None:
        for pod in self.pods.values():
            if pod.process and pod.process.poll() is None:
                pod.process.kill()
                pod.process.wait()

    def client(self, pod: Pod, **options) -> Client:
        return Client(pod.port, self.authority, **{"password": self.password, **options})

    def ask(self, pod: Pod, *words):
        """One answer, on a connection of its own."""
        with contextlib.closing(self.client(pod)) as client:
            return client(*words)

    def primary(self) -> Pod:
        """Where the first Sentinel that answers says it is."""
        for pod in self.sentinels:
            with contextlib.suppress(OSError, Answer):
                with contextlib.closing(self.client(pod, timeout=0.5)) as client:
                    return self.redis[int(client(
                        "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "redis")[1])]
        raise AssertionError("no Sentinel answers")

    def roles(self) -> dict:
        """Port of each Redis -> its role and what else INFO tells of replication."""
        return {port: pairs(self.ask(pod, "INFO", "replication"))
                for port, pod in self.redis.items()}

    def flaws(self) -> list[str]:
        """In what way the group is not whole."""
        try:
            roles, named = self.roles(), [self.view(pod) for pod in self.sentinels]
        except (OSError, Answer) as error:
            return [str(error)]
        primaries = [port for port, row in roles.items() if row["role"] == "master"]
        ill = [f"{port}: {row}" for port, row in roles.items()
               if row.get("master_link_status", "up") != "up" or row["role"] == "master"
               and (port not in primaries[:1] or row["connected_slaves"] != "2")]
        sane = {"flags": "master", "num-slaves": "2", "num-other-sentinels": "2"}
        ill += [f"Sentinel: {row}" for row in named
                if [int(row["port"])] != primaries or not sane.items() <= row.items()]
        ill += [f"replica: {row['port']} {row['flags']}" for pod in self.sentinels
                for row in map(paired, self.ask(pod, "SENTINEL", "REPLICAS", "redis"))
                if row["flags"] != "slave"]
        return ill

    def view(self, pod: Pod) -> dict:
        """What a Sentinel thinks of the primary."""
        return paired(self.ask(pod, "SENTINEL", "MASTER", "redis"))

    def whole(self) -> None:
        """Waits until there is one primary with two replicas, and all Sentinels agree on it."""
        deadline = time.monotonic() + PATIENCE
        while flaws := self.flaws():
            assert time.monotonic() < deadline, "\n".join(flaws)
            time.sleep(0.2)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _port in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


def paired(flat: list) -> dict:
    """A dictionary of an answer that lists names and values in turn."""
    return dict(zip(flat[::2], flat[1::2]))


def pairs(text: str) -> dict:
    """A dictionary of an answer to INFO."""
    return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)


class Writer(threading.Thread):
    """A client that writes one number after the other, to whatever primary Sentinel names."""

    def __init__(self, group: Group):
        super().__init__(daemon=True)
        self.group, self.acknowledged = group, []  # (seconds, port, number)
        self.closed = threading.Event()

    def __enter__(self) -> "Writer":
        self.start()
        return self

    def __exit__(self, *_error) -> None:
        self.closed.set()
        self.join()

    def run(self) -> None:
        number = 0
        while not self.closed.is_set():
            with contextlib.suppress(OSError, Answer, AssertionError):
                pod = self.group.primary()
                with contextlib.closing(self.group.client(pod, timeout=0.5)) as client:
                    while not self.closed.is_set():
                        number += 1
                        client("SADD", "numbers", number)
                        self.acknowledged.append((time.monotonic(), pod.port, number))
                        time.sleep(0.002)
            time.sleep(0.05)

    def after(self, moment: float, not_at: int | None = None) -> float | None:
        """When the first write after that moment was acknowledged, at another port than that."""
        return next((at for at, port, _number in self.acknowledged
                     if at > moment and port != not_at), None)

    def wait(self, moment: float, not_at: int | None = None) -> float:
        """The same, when it is so."""
        deadline = time.monotonic() + PATIENCE
        while not (found := self.after(moment, not_at)):
            assert time.monotonic() < deadline, "nobody takes writes"
            time.sleep(0.02)
        return found

    def lost(self) -> int:
        """Writes that were acknowledged and are not there."""
        acknowledged = {number for _at, _port, number in self.acknowledged}
        there = self.group.ask(self.group.primary(), "SMEMBERS", "numbers")
        return len(acknowledged - set(map(int, there)))
