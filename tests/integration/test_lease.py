# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lease: one run at a time changes a stack, and a dead run does not stop the next one."""
from __future__ import annotations

import datetime
import json
import subprocess
import sys

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.clients import lease
from tests.world import ACCOUNT, REGION, STACK, World, actions

NETWORK = {"network": {"cidr_block": "10.0.0.0/16", "availability_zones": ["us-east-1a"]}}
BUCKET = f"groundwork-leases-{ACCOUNT}-{REGION}"


def s3(world: World):
    return world.session(aws_access_key_id=f"LAB0{ACCOUNT}", aws_secret_access_key="x",
                         region_name=REGION).client("s3")


def hold(world: World, minutes: float = 5, **holder) -> None:
    """Somebody else has the lease."""
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    body = {"host": "elsewhere", "pid": 4711, "started": "1", "space": "pid:[1]", "who": "kim",
            "token": "other", "until": until.isoformat(), **holder}
    client = s3(world)
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key=f"leases/{STACK}.json", Body=json.dumps(body))


def leases(world: World) -> list:
    return s3(world).list_objects_v2(Bucket=BUCKET).get("Contents", [])


def test_held_lease_stops_with_the_holders_name():
    world = World()
    hold(world)
    result = world.run(NETWORK)
    assert result["failed"]
    assert "held by kim on elsewhere (process 4711)" in result["msg"]
    assert "lease_takeover=true" in result["msg"]
    assert not world.writes()
    assert len(leases(world)) == 1


def test_the_record_of_a_holder_cannot_be_read():
    for body in (b"", b"{}", b"[1]", b"null", b"\xff", b'{"token": "x", "until": "soon"}'):
        world = World()
        client = s3(world)
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key=f"leases/{STACK}.json", Body=body)
        result = world.run(NETWORK)
        assert result["failed"] and "held by unknown, its record cannot be read" in result["msg"]
        assert "lease_takeover=true" in result["msg"] and not world.writes()
        assert actions(world.run(NETWORK, lease_takeover=True))
        assert not leases(world)


def test_another_account_has_the_name_of_the_bucket():
    """Who knows an account's number can take the name; its own lease there would stop nobody."""
    world = World()
    other = world.session(aws_access_key_id="LAB0999988887777", aws_secret_access_key="x",
                          region_name=REGION).client("s3")
    other.create_bucket(Bucket=BUCKET)
    result = world.run(NETWORK)
    assert result["failed"] and not world.writes()
    assert f"lease bucket {BUCKET}: Access Denied" in result["msg"]
    assert "set lease_bucket" in result["msg"]
    assert not other.list_objects_v2(Bucket=BUCKET).get("Contents")
    assert actions(world.run(NETWORK, lease_bucket="acme-leases"))


def test_takeover_by_word():
    world = World()
    hold(world)
    assert actions(world.run(NETWORK, lease_takeover=True))
    assert not leases(world)


def test_takeover_after_expiry():
    world = World()
    hold(world, minutes=-1)
    assert actions(world.run(NETWORK))


def test_takeover_at_once_from_a_dead_process_of_this_machine():
    world = World()
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    hold(world, **{**lease.process(), "pid": child.pid})
    assert actions(world.run(NETWORK))


def test_a_reused_process_id_is_not_the_holder():
    world = World()
    hold(world, **{**lease.process(), "started": "1"})
    assert actions(world.run(NETWORK))


def test_a_living_process_of_this_machine_keeps_it():
    world = World()
    hold(world, **{**lease.process(), "who": "kim"})
    assert "held by kim" in world.run(NETWORK)["msg"]


def test_check_mode_and_a_run_without_changes_need_no_lease():
    world = World()
    actions(world.run(NETWORK))
    hold_again = s3(world)
    hold_again.put_object(Bucket=BUCKET, Key=f"leases/{STACK}.json", Body=b"{}")
    assert not world.run(NETWORK)["failed"]
    assert not world.run({"network": {**NETWORK["network"], "nat_gateways": "none"}},
                         check=True)["failed"]


def test_given_back_after_a_failure():
    world = World(deny={"*": ["ec2:CreateSubnet"]})
    assert world.run(NETWORK)["failed"]
    assert not leases(world)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "call", ["CreateBucket", "PutPublicAccessBlock", "PutObject", "DeleteObject"])
def test_lost_answers_of_the_lease_itself(call, when):
    world = World()
    world.lab.set(faults=[{"match": f"s3.{call}", "when": when, "what": "drop"}])
    assert actions(world.run(NETWORK))
    assert not leases(world) or (call, when) == ("DeleteObject", "before")
    assert not world.run(NETWORK)["failed"]


def test_a_lease_that_is_taken_over_ends_the_run(monkeypatch):
    monkeypatch.setattr(lease, "RENEW", 0.01)
    world = World(latency_ms=100)
    handle = world.lab.handle

    def handled(*args, **kwargs):
        if len(world.lab.calls.writes) >= 6 and world.lab.handle is handled:
            world.lab.handle = handle
            hold_now(world)
        return handle(*args, **kwargs)

    def hold_now(world):
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)
        body = {"host": "x", "pid": 1, "who": "kim", "token": "other", "until": until.isoformat()}
        s3(world).put_object(Bucket=BUCKET, Key=f"leases/{STACK}.json", Body=json.dumps(body))

    world.lab.handle = handled
    result = world.run(NETWORK)
    assert result["failed"] and "taken over by somebody else" in result["problems"][0]
    assert len(leases(world)) == 1, "the other one's lease was removed"
    states = {outcome["state"] for outcome in result["outcomes"].values()}
    assert "done" in states and "skipped" in states


def test_a_lease_that_cannot_be_renewed_ends_the_run(monkeypatch):
    monkeypatch.setattr(lease, "RENEW", 0.01)
    monkeypatch.setattr(lease, "LAST", lease.MINUTES * 60 - 0.3)
    world = World(latency_ms=100)
    world.lab.set(faults=[{"match": "s3.PutObject", "nth": n, "what": "500"}
                          for n in range(2, 60)])
    result = world.run(NETWORK)
    assert result["failed"] and "lease acme-test: not renewed before" in result["problems"][0]
    assert "skipped" in {outcome["state"] for outcome in result["outcomes"].values()}
    assert not leases(world)
