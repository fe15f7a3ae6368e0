# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The configuration of the role redis_sentinel, with real Redis and real Sentinels."""
from __future__ import annotations

import contextlib
import json
import math
import signal
import socket
import time
from pathlib import Path

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.clients import certificates
from tests.integration.kube.worlds import soon
from tests.redis_world import DOWN_AFTER, PASSWORD, Answer, Writer

pytestmark = pytest.mark.redis
ROUNDS = 30
PROMISE = DOWN_AFTER / 1000 + 3  # seconds
# What is struck down, and how.
STRIKES = [(what, how) for how in (signal.SIGKILL, signal.SIGSTOP)
           for what in (("primary",), ("primary", "sentinel"))]
SPARED = [(("sentinel",), how) for how in (signal.SIGKILL, signal.SIGSTOP)]


def struck(group, what) -> list:
    """The pods of a strike; the Sentinel is not the one that clients ask first."""
    pods = {"primary": group.primary(), "sentinel": group.sentinels[2]}
    return [pods[name] for name in what]


def strike(group, writer, what, how) -> tuple[float | None, int]:
    """(seconds until another primary took writes, acknowledged writes that it lacks)."""
    before, pods = group.primary(), struck(group, what)
    start = time.monotonic()
    writer.wait(start)
    start = time.monotonic()
    for pod in pods:
        pod.signal(how)
    moved = before in pods
    taken = writer.wait(start + (0 if moved else DOWN_AFTER / 1000 + 1),
                        before.port if moved else None)
    for pod in pods:
        pod.heal()
    group.whole()
    assert (group.primary() != before) == moved
    lost = writer.lost()
    print(f"{signal.Signals(how).name} of {' and '.join(what)}: "
          + (f"{taken - start:.2f} s, " if moved else "no failover, ")
          + f"{lost} acknowledged writes lost so far", flush=True)
    return (taken - start if moved else None), lost


@pytest.mark.parametrize(("what", "how"), [STRIKES[0], STRIKES[3], SPARED[0]])
def test_a_strike(group, what, how):
    """One primary at the end, which takes writes; a Sentinel alone changes nothing."""
    with Writer(group) as writer:
        strike(group, writer, what, how)


@pytest.mark.failover
def test_thirty_failovers(group):
    """The promise: within down-after and three seconds, at the 95th percentile."""
    with Writer(group) as writer:
        found = [strike(group, writer, *STRIKES[n % len(STRIKES)]) for n in range(ROUNDS)]
        for what, how in SPARED:
            strike(group, writer, what, how)
        written, lost = len(writer.acknowledged), writer.lost()
    seconds = sorted(taken for taken, _lost in found)
    worst = seconds[math.ceil(0.95 * len(seconds)) - 1]
    print(f"{len(seconds)} failovers with down-after {DOWN_AFTER} ms: median "
          f"{seconds[len(seconds) // 2]:.2f} s, 95th percentile {worst:.2f} s, longest "
          f"{seconds[-1]:.2f} s; {lost} of {written} acknowledged writes lost")
    assert worst <= PROMISE


def refusal(call) -> str:
    """What somebody is told who is not let in."""
    with pytest.raises((Answer, OSError)) as told:
        call()
    return str(told.value)


@pytest.mark.parametrize("name", ["redis-0", "redis-1", "redis-sentinel-0"])
def test_who_is_let_in(group, name):
    pod = group.pods[name]
    assert group.ask(pod, "PING") == "PONG"
    assert "NOAUTH" in refusal(lambda: group.client(pod, password=None)("PING"))
    assert "WRONGPASS" in refusal(lambda: group.client(pod, password="guess"))
    with socket.create_connection(("localhost", pod.port), 5) as plain:
        plain.sendall(b"AUTH %s\r\nPING\r\n" % PASSWORD.encode())
        with contextlib.suppress(ConnectionError):
            assert b"PONG" not in plain.recv(100)


def test_the_password_is_in_no_list_of_processes_and_no_config_map(group):
    for pod in group.pods.values():
        assert PASSWORD.encode() not in Path(f"/proc/{pod.process.pid}/cmdline").read_bytes()
        for file in (pod.folder / "config").iterdir():
            assert PASSWORD not in file.read_text()
        assert PASSWORD not in (pod.folder / "log").read_text()


def test_a_restart_of_everything(group):
    """Who is primary, who the Sentinels are and all names stay; the configuration is the newest."""
    first = group.primary()
    group.ask(group.sentinels[0], "SENTINEL", "FAILOVER", "redis")
    soon(lambda: group.primary() != first, what="another primary")
    group.whole()
    with Writer(group) as writer:
        writer.wait(time.monotonic())
    before, lost = group.primary(), writer.lost()
    mine = {pod.name: group.ask(pod, "SENTINEL", "MYID") for pod in group.sentinels}
    for pod in group.pods.values():
        pod.signal(signal.SIGKILL)
    # However slowly they start: nobody is taken for down meanwhile.
    group.configure(redis_sentinel_memory=1000, redis_sentinel_down_after=60_000,
                    redis_sentinel_config={"maxclients": 321, "lazyfree-lazy-eviction": True})
    group.start()
    assert group.primary() == before
    assert {pod.name: group.ask(pod, "SENTINEL", "MYID") for pod in group.sentinels} == mine
    for pod in group.redis.values():
        assert group.ask(pod, "CONFIG", "GET", "maxmemory")[1] == str(750 * 2 ** 20)
        assert group.ask(pod, "CONFIG", "GET", "maxclients")[1] == "321"
        assert group.ask(pod, "CONFIG", "GET", "lazyfree-lazy-eviction")[1] == "yes"
    assert writer.lost() == lost
    for pod in group.sentinels:
        assert group.view(pod)["down-after-milliseconds"] == "60000"
        group.ask(pod, "SENTINEL", "SET", "redis", "down-after-milliseconds", DOWN_AFTER)
    group.configure(redis_sentinel_down_after=DOWN_AFTER)


def test_another_certificate(group):
    """Of another authority: the pods start again one after the other, as their sets have it.

    Until then they go on with the former one, beside those that have the other.
    """
    tls = group.folder / "tls"
    made = certificates.made(["localhost"], 9, (tls / "ca.crt").read_text())
    for name, text in made.items():
        (tls / name).write_text(text)
    with Writer(group) as writer:
        writer.wait(time.monotonic())
        for number in (2, 1, 0):
            pods = [group.pods[f"{part}-{number}"] for part in ("redis", "redis-sentinel")]
            for pod in pods:
                pod.signal(signal.SIGTERM)
                pod.process.wait()
                pod.start()
            soon(lambda pods=pods: all(map(ready, pods)), 60, f"{number} ready")
        group.whole()
        writer.wait(time.monotonic())
        assert not writer.lost()
    (tls / "ca.crt").write_text(made["ca.crt"][:made["ca.crt"].index("-----END") + 26])
    group.whole()  # everybody has it: the tests' client trusts no other


def test_another_password(group):
    """It counts when all pods are replaced; until then neither the probes nor a failover notice."""
    secret, former = group.folder / "auth" / "password", group.password
    secret.write_text("another-canary-4712")
    try:
        assert all(map(ready, group.pods.values()))
        with Writer(group) as writer:
            strike(group, writer, ("primary", "sentinel"), signal.SIGKILL)
        assert all(map(ready, group.pods.values()))
        before, lost = group.primary(), writer.lost()
        group.password = "another-canary-4712"
        group.start()
        assert all(map(ready, group.pods.values()))
        assert (group.primary(), writer.lost()) == (before, lost)
        for pod in group.pods.values():
            held = pod.folder / "run" / "password"
            assert held.stat().st_mode & 0o777 == 0o600
            with pytest.raises(Answer, match="WRONGPASS"):
                group.client(pod, password=former)
    finally:
        secret.write_text(former)
        group.password = former
        group.start()


def ready(pod) -> bool:
    """What its readiness probe finds."""
    return (pod.script("ready.sh") if pod.part == "redis" else pod.script(
        "cli.sh", "localhost", pod.port, "-e", "ping")).returncode == 0


def test_names_not_addresses(group):
    """Redis and Sentinels are known by the names that survive a restart."""
    for pod in group.sentinels:
        assert group.ask(pod, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "redis")[0] == "localhost"
        for kind in ("REPLICAS", "SENTINELS"):
            text = json.dumps(group.ask(pod, "SENTINEL", kind, "redis"))
            assert "127.0.0.1" not in text
            assert '"ip", "localhost"' in text
    replica = next(row for row in group.roles().values() if row["role"] == "slave")
    assert replica["master_host"] == "localhost"


def test_a_primary_alone_takes_no_writes(group):
    primary = group.primary()
    for pod in group.redis.values():
        if pod != primary:
            pod.signal(signal.SIGKILL)
    assert "NOREPLICAS" in refusal(lambda: group.ask(primary, "SET", "a", 1))


def test_probes(group):
    primary = group.primary()
    replica = next(pod for pod in group.redis.values() if pod != primary)
    sentinel = group.sentinels[0]

    def alive(pod):
        return pod.script("cli.sh", "localhost", pod.port, "-e", "ping").returncode == 0

    assert [alive(pod) for pod in (primary, replica, sentinel)] == [True] * 3
    assert [pod.script("ready.sh").returncode for pod in (primary, replica)] == [0, 0]
    group.ask(replica, "REPLICAOF", "localhost", 1)
    assert alive(replica)
    assert replica.script("ready.sh").returncode != 0
    group.ask(replica, "REPLICAOF", "localhost", primary.port)
    sentinel.signal(signal.SIGKILL)
    assert not alive(sentinel)
