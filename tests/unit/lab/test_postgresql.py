# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The real PostgreSQL behind an emulated Aurora cluster."""
from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError
from tests.integration.kube.worlds import World, soon
from tests.postgresql_world import DATABASE, MASTER, Aurora, create, programs
from tests.unit.lab.lab_worlds import ACCOUNT, REGION

from lab import postgresql
from lab.aws import Lab
from lab.launcher import Launcher

pytestmark = pytest.mark.postgresql


@pytest.fixture(name="world")
def made(tmp_path):
    programs()
    world = World(kubernetes=False, postgresql=True)
    world.lab.databases.folder = tmp_path
    yield world
    world.lab.close()


@pytest.fixture(name="aurora")
def running(world):
    return Aurora(world)


def test_from_creation_to_deletion(world, aurora, tmp_path):
    """The managed secret lets in, with TLS only, as somebody who is no superuser."""
    live, rds = aurora.live(), world("rds")
    assert (live["Status"], live["Port"]) == ("available", 5432)
    assert live["Endpoint"] == live["ReaderEndpoint"]
    assert aurora.ask("select current_user, rolsuper, rolcreaterole, datname from pg_roles, "
                      "pg_database where rolname = current_user and datdba = pg_roles.oid "
                      "and datname = current_database()",
                      sslmode="verify-full", sslrootcert=tmp_path / "rds-ca.pem") == [
        (MASTER, False, True, DATABASE)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        aurora.ask("select * from pg_shadow")
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        aurora.ask("select 1", sslmode="disable")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        aurora.ask("select 1", MASTER, "guess")
    member = rds.create_db_instance(
        DBInstanceIdentifier="writer", DBClusterIdentifier="shared", Engine="aurora-postgresql",
        DBInstanceClass="db.r6g.large")["DBInstance"]
    assert member["Endpoint"]["Address"] == live["Endpoint"]
    rds.delete_db_instance(DBInstanceIdentifier="writer")
    server = next(iter(world.lab.databases.servers.values()))
    rds.delete_db_cluster(DBClusterIdentifier="shared", SkipFinalSnapshot=True)
    soon(lambda: not rds.describe_db_clusters()["DBClusters"], what="its deletion")
    assert server.process.poll() is not None
    assert not server.folder.exists()


def test_several_with_passwords_of_the_callers(world, aurora):
    """Each has an address of its own, and the port that it asks for."""
    other = create(world, "other", MasterUserPassword="it's \"mine\"", Port=15432,
                   ManageMasterUserPassword=False)
    aurora.name = "other"
    soon(lambda: aurora.live()["Status"] == "available", what="the second cluster")
    assert aurora.ask("select 1", MASTER, "it's \"mine\"") == [(1,)]
    assert other["Port"] == 15432
    hosts = {row["Endpoint"] for row in world("rds").describe_db_clusters()["DBClusters"]}
    assert len(hosts) == 2


def test_a_port_that_is_taken_everywhere(world):
    with socket.create_server(("0.0.0.0", 0)) as door:
        port = door.getsockname()[1]
        with pytest.raises(ClientError, match=f"no loopback address has port {port} free"):
            create(world, "other", Port=port)
    assert not world("rds").describe_db_clusters()["DBClusters"]


def test_a_server_that_does_not_start(world, monkeypatch):
    monkeypatch.setattr(postgresql, "CONFIGURATION", "no_such_setting = 1\n")
    assert Aurora(world).live()["Status"] == "failed"
    server = next(iter(world.lab.databases.servers.values()))
    assert "no_such_setting" in str(server.error)


def test_without_the_setting_there_is_a_name_only():
    world = World(kubernetes=False)
    aurora = Aurora(world)
    assert aurora.live()["Endpoint"].endswith(".us-east-1.rds.amazonaws.com")
    assert not world.lab.databases.servers


def test_the_setting_needs_the_programs(monkeypatch, tmp_path):
    monkeypatch.setattr(postgresql, "FOLDERS", tmp_path)
    with pytest.raises(ValueError, match="apt-get install postgresql"):
        Lab({"postgresql": True})


@pytest.mark.parametrize("how", ["reset", "kill"])
def test_it_ends_with_its_lab(tmp_path, how):
    """What a killed one leaves is gone with the next one of its name."""
    programs()
    launcher = Launcher(tmp_path / "lab")
    try:
        state, place = begun(launcher), tmp_path / "lab" / "databases"
        link, = place.iterdir()
        folder, server = link.resolve(), Path("/proc") / pid_of(link)
        assert server.exists()
        if how == "kill":
            os.kill(state["pid"], signal.SIGKILL)
        else:
            launcher.ask("POST", "reset")
            assert not place.exists() and not folder.exists()
        soon(lambda: not server.exists(), what="the end of PostgreSQL")
        if how == "kill":
            begun(launcher)
            assert (link.resolve() == folder) == bool(os.geteuid())
            assert folder.exists() == bool(os.geteuid())
    finally:
        launcher.stop()


def pid_of(link: Path) -> str:
    return (link / "data" / "postmaster.pid").read_text().split()[0]


def begun(launcher) -> dict:
    """The state of a lab with a database."""
    state = launcher.start(settings={"postgresql": True})

    def client(service):
        return boto3.client(service, endpoint_url=state["endpoint"], region_name=REGION,
                            aws_access_key_id=f"LAB0{ACCOUNT}", aws_secret_access_key="lab")

    create(client, "shared")
    soon(lambda: client("rds").describe_db_clusters()["DBClusters"][0]["Status"] == "available")
    return state
