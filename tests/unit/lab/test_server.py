# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab as a background process: start, use, control, stop."""
from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import botocore.config
import pytest
from botocore.exceptions import ConnectionClosedError

from lab.launcher import Launcher

KEY = {"aws_access_key_id": "LAB0111122223333", "aws_secret_access_key": "lab",
       "region_name": "us-east-1"}
NO_RETRY = botocore.config.Config(retries={"total_max_attempts": 1})
CHILD = """
import boto3, sys
ec2 = boto3.client("ec2", endpoint_url=sys.argv[1], aws_access_key_id="LAB0111122223333",
                   aws_secret_access_key="lab", region_name="us-east-1")
ec2.create_vpc(CidrBlock="10.7.0.0/16")
"""


@pytest.fixture
def launcher(tmp_path):
    launcher = Launcher(tmp_path / "state")
    yield launcher
    launcher.stop()


def client(launcher, service):
    return boto3.client(service, endpoint_url=launcher.running()["endpoint"], config=NO_RETRY,
                        **KEY)


def test_a_server_from_start_to_stop(launcher, tmp_path):
    begun = time.monotonic()
    state = launcher.start(settings={"quotas": {"vpcs": 50}})
    assert time.monotonic() - begun < 2
    assert launcher.start() == state
    ec2, s3 = client(launcher, "ec2"), client(launcher, "s3")
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    s3.create_bucket(Bucket="bucket-one")
    s3.put_object(Bucket="bucket-one", Key="a b/c", Body=b"text")
    assert s3.get_object(Bucket="bucket-one", Key="a b/c")["Body"].read() == b"text"
    assert s3.head_object(Bucket="bucket-one", Key="a b/c")["ContentLength"] == 4
    calls = launcher.ask("GET", "calls")
    assert calls["count"]["ec2.CreateVpc"] == 1
    assert len(launcher.ask("GET", "inventory")["ec2.vpc"]) == 1
    launcher.ask("POST", "reset")
    assert "ec2.vpc" not in launcher.ask("GET", "inventory")

    launcher.ask("PUT", "faults", [{"match": "ec2.CreateVpc", "when": "after", "what": "drop"}])
    with pytest.raises(ConnectionClosedError):
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert len(launcher.ask("GET", "inventory")["ec2.vpc"]) == 1

    launcher.ask("PUT", "faults", [{"match": "ec2.CreateVpc", "when": "after", "what": "kill"}])
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    child = subprocess.run([sys.executable, str(script), state["endpoint"]], check=False)
    assert child.returncode == -9
    assert len(launcher.ask("GET", "inventory")["ec2.vpc"]) == 2
    assert launcher.ask("GET", "settings")["quotas"] == {"vpcs": 50}

    launcher.stop()
    assert launcher.running() is None


def test_a_body_that_is_announced_is_asked_for(launcher):
    address = urlsplit(launcher.start()["endpoint"])
    with socket.create_connection((address.hostname, address.port), timeout=10) as door:
        door.sendall(b"PUT /bucket-one/key HTTP/1.1\r\nHost: localhost\r\n"
                     b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert door.recv(100).startswith(b"HTTP/1.1 100 ")


def test_two_at_once(launcher, tmp_path):
    other = Launcher(tmp_path / "other")
    try:
        assert launcher.start()["endpoint"] != other.start()["endpoint"]
    finally:
        other.stop()
    assert launcher.running()


def test_a_foreign_process_is_not_stopped(tmp_path):
    launcher = Launcher(tmp_path)
    launcher.file.write_text('{"endpoint": "http://localhost:1", "pid": 1, "ticks": -1}')
    assert launcher.running() is None
    assert launcher.stop() is None


def test_the_inventory_points_at_the_lab():
    root = Path(__file__).parents[3]
    text = subprocess.run([sys.executable, str(root / "inventories" / "lab" / "lab.py"), "--list"],
                          capture_output=True, text=True, check=True).stdout
    assert '"aws_access_key": "LAB0{{ aws_account_id }}"' in text
