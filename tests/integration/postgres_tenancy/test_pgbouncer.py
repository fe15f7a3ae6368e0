# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A real PgBouncer with the files of the role postgres_tenancy."""
from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from tests.integration.kube.worlds import soon
from tests.integration.postgres_tenancy.worlds import PASSWORDS

from lab.kube.pki import Authority

pytestmark = pytest.mark.postgresql
SCHEMAS = {"dev_acme": "dev_acme", "prod_acme": "prod_acme"}


def test_connections_keep_their_schema(bouncer):
    """Many clients of two tenants on one connection each: transaction mode."""
    clients = [(name, bouncer.connect(name, autocommit=False))
               for name in (*SCHEMAS, *SCHEMAS, *SCHEMAS)]
    servers = {}
    for _round in range(3):
        for name, client in clients:
            schema, path, server = client.execute(
                "select current_schema, current_setting('search_path'), pg_backend_pid()"
            ).fetchone()
            client.commit()
            assert (schema, path) == (SCHEMAS[name], f"{SCHEMAS[name]}, public")
            servers.setdefault(name, set()).add(server)
    assert [len(found) for found in servers.values()] == [1, 1]
    assert not set.intersection(*servers.values())
    for _name, client in clients:
        client.close()


def test_what_a_session_is_told_does_not_reach_the_next_client(bouncer):
    with bouncer.connect("dev_acme") as first, bouncer.connect("dev_acme") as second:
        first.execute("set search_path to pg_catalog")
        first.execute("set app.user_id = '42'")
        assert second.execute("select current_schema, current_setting('app.user_id', true)"
                              ).fetchone() in (("dev_acme", ""), ("dev_acme", None))


def test_both_endpoints_have_a_name(bouncer):
    for name in ("pingvas", "pingvas_reader"):
        assert bouncer.ask("prod_acme", "select current_database(), current_schema",
                           dbname=name) == [("pingvas", "prod_acme")]


def test_who_is_let_in(bouncer):
    """With TLS, a password, and from there on with TLS too."""
    for options, why in (({"password": "guess"}, "password authentication failed|SASL"),
                         ({"sslmode": "disable"}, "(SSL|TLS) required"),
                         ({"user": "visitor"}, "no such user|password authentication|SASL"),
                         ({"dbname": "postgres"}, "no such database")):
        with pytest.raises(psycopg.OperationalError, match=why):
            bouncer.connect("dev_acme", **options)
    assert bouncer.ask("dev_acme", "select ssl from pg_stat_ssl where pid = pg_backend_pid()") == [
        (True,)]
    pools = bouncer.ask("pgbouncer", "SHOW POOLS", dbname="pgbouncer")
    assert {"dev_acme", "prod_acme"} <= {row[1] for row in pools}
    with pytest.raises(psycopg.OperationalError, match="not allowed"):
        bouncer.ask("dev_acme", "SHOW POOLS", dbname="pgbouncer")


def test_a_tenant_has_its_share_of_connections(bouncer):
    """One here; another transaction waits for the first."""
    def waiting():
        rows = bouncer.ask("pgbouncer", "SHOW POOLS", dbname="pgbouncer")
        return [int(row[3]) for row in rows if row[:2] == ("pingvas", "dev_acme")] == [1]

    with ThreadPoolExecutor(1) as beside, bouncer.connect("dev_acme", autocommit=False) as first:
        first.execute("select 1")
        second = beside.submit(bouncer.ask, "dev_acme", "select 2")
        soon(waiting, what="the second client's wait")
        assert bouncer.ask("prod_acme", "select 3") == [(3,)]
        assert not second.done()
        first.commit()
        assert second.result(30) == [(2,)]


def test_what_changes_counts_without_a_restart(world, bouncer):
    """A password, and the certificate."""
    process = bouncer.process.pid
    world.ask(None, "alter role prod_acme password 'an0ther-4711'")
    bouncer.authority = Authority()
    certificate, key = bouncer.authority.serve("localhost")
    files = {"users/prod_acme": b"an0ther-4711", "tls/tls.crt": certificate, "tls/tls.key": key}
    for name, content in files.items():
        (bouncer.folder / name).write_bytes(content)

    def let_in(password):
        with contextlib.suppress(psycopg.OperationalError):
            return bouncer.ask("prod_acme", "select 1", password=password)

    assert soon(lambda: let_in("an0ther-4711"), what="the changed password") == [(1,)]
    world.ask(None, f"alter role prod_acme password '{PASSWORDS['prod_acme']}'")
    bouncer.write("users/prod_acme", PASSWORDS["prod_acme"])
    assert soon(lambda: let_in(PASSWORDS["prod_acme"]), what="the first password") == [(1,)]
    assert bouncer.process.pid == process and bouncer.process.poll() is None


def test_no_password_is_in_the_configuration_the_log_or_a_list_of_processes(bouncer):
    texts = [path.read_text() for path in (bouncer.folder / "config").iterdir()]
    texts += [bouncer.log(), Path(f"/proc/{bouncer.process.pid}/cmdline").read_text()]
    for password in PASSWORDS.values():
        assert not [text for text in texts if password in text]
