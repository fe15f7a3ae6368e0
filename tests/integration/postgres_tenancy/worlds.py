# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A lab with a database, and plays of the role postgres_tenancy against it."""
from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3
import psycopg
from tests.integration.kube.worlds import soon
from tests.postgresql_world import DATABASE, Aurora
from tests.redis_world import free_ports
from tests.rendering import rendered
from tests.unit.lab.lab_worlds import ACCOUNT, REGION

from lab import postgresql
from lab.kube.pki import Authority
from lab.launcher import Launcher

ROOT = Path(__file__).parents[3]
PLAN = ROOT / "roles" / "postgres_tenancy" / "files" / "plan.sql"
KEY = {"access_key": f"LAB0{ACCOUNT}", "secret_key": "s3cr3t-of-the-caller-4711"}
# Canaries: they must be seen nowhere.
PASSWORDS = {"dev_acme": "it's-d3v-canary\"4711", "prod_acme": "pr0d-canary-4711",
             "pgbouncer": "t0ken-canary-4711"}
TENANTS = [{"name": name, "secret": f"acme/{name}"} for name in ("dev_acme", "prod_acme")]


class PostgresWorld:
    """A lab of its own process, with Aurora and the secrets of two tenants."""

    def __init__(self, folder: Path):
        self.folder, self.launcher = folder, Launcher(folder / "lab")
        self.endpoint = self.launcher.start(settings={"postgresql": True})["endpoint"]
        self.aurora = Aurora(self.client)
        for name, password in PASSWORDS.items():
            text = password if name == "pgbouncer" else json.dumps({"password": password})
            self.client("secretsmanager").create_secret(Name=f"acme/{name}", SecretString=text)

    def client(self, service: str):
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION,
                            aws_access_key_id=KEY["access_key"],
                            aws_secret_access_key=KEY["secret_key"])

    def variables(self, **given) -> dict:
        """Those of a stack, as the roles of its cluster see them."""
        live = self.aurora.live()
        return {
            "stack_product": "acme", "stack_environment": "test", "stack_adopt": [],
            "stack_allow_data_loss": [], "stack_applyset": {"state": "present"},
            "stack_check": "{{ ansible_check_mode }}", "aws_region": REGION,
            "aws_endpoint_url": self.endpoint, "aws_access_key": KEY["access_key"],
            "aws_secret_key": KEY["secret_key"], "stack_result": {"outputs": {
                "aurora_cluster/db_cluster/main": {
                    "endpoint": live["Endpoint"], "reader_endpoint": live["ReaderEndpoint"],
                    "port": live["Port"],
                    "master_user_secret_arn": live["MasterUserSecret"]["SecretArn"]}}},
            "postgres_tenancy_database": DATABASE, "postgres_tenancy_tenants": TENANTS,
            "postgres_tenancy_admin_secret": "acme/pgbouncer",
            "postgres_tenancy_ca_cert": str(self.launcher.folder / "rds-ca.pem"),
            "ansible_python_interpreter": sys.executable, **given}

    def play(self, *options: str, **given) -> "Played":
        """The tasks of the role for the database."""
        play = self.folder / "play.yml"
        play.write_text(json.dumps([{
            "hosts": "localhost", "connection": "local", "gather_facts": False,
            "vars": self.variables(**given),
            "tasks": [{"ansible.builtin.include_role": {
                "name": "groundwork.aws.postgres_tenancy", "tasks_from": "database"}}]}]))
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "AWS_", "PG"))}
        return Played(subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", play, *options],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=200,
            cwd=ROOT, env={**kept, "LC_ALL": "C.UTF-8",
                           "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}))

    def rows(self, tenants=TENANTS, adopt=(), data_loss=()) -> list:
        """What the role's query says that the database lacks: (key, action, statement)."""
        with self.aurora.connect(cursor_factory=psycopg.ClientCursor,
                                 options="-c default_transaction_read_only=on") as connection:
            return connection.execute(PLAN.read_text(), {
                "tenants": json.dumps(tenants), "mark": "groundwork.aws acme-test",
                "adopt": json.dumps(adopt), "data_loss": json.dumps(data_loss)}).fetchall()

    def plan(self, *args, **given) -> dict:
        """Key -> action."""
        return {key.removeprefix("postgres_tenancy/"): action
                for key, action, _statement in self.rows(*args, **given)}

    def converge(self, *args, **given) -> None:
        """As the tasks do it, and without a play, until nothing is left to do."""
        for _key, action, statement in self.rows(*args, **given):
            if action not in ("refuse", "left over"):
                self.ask(None, statement)
        assert not set(self.plan(*args, **given).values()) - {"refuse", "left over"}

    def ask(self, name: str | None, text: str, **options) -> list:
        """As a tenant, or as the master."""
        login = (name, PASSWORDS[name]) if name else ()
        return self.aurora.ask(text, *login, **options)

    def log(self) -> str:
        """What the server has written down."""
        link, = (self.launcher.folder / "databases").iterdir()
        return (link / "postgresql.log").read_text()


class Played:
    """What a play has shown."""

    def __init__(self, done: subprocess.CompletedProcess):
        self.failed, self.text = done.returncode != 0, done.stdout + done.stderr
        found = re.search(r"changed=(\d+)", self.text)
        self.changed = int(found[1]) if found else None

    @property
    def said(self) -> dict:
        """Key -> the last action, as told."""
        return dict(re.findall(r"postgres_tenancy/(.+?) (create|update|adopt|delete|left over)\b",
                               self.text))


class PgBouncer:
    """The program with what the role renders, where it would be a pod."""

    def __init__(self, world: PostgresWorld):
        self.world, self.process = world, None
        # It refuses to run as root, and another user has no way into most folders of root.
        self.folder, self.user = Path(tempfile.mkdtemp(prefix="pgbouncer-")), postgresql.user()
        self.port, = free_ports(1)
        self.authority = Authority()

    def files(self) -> dict:
        """Path -> content, as the mounted objects hold them."""
        live, certificate = self.world.aurora.live(), self.authority.serve("localhost")
        objects = rendered("postgres_tenancy", {
            "postgres_tenancy_layout": {
                "address": "127.0.0.1", "port": self.port,
                **{name: str(self.folder / name) for name in ("config", "users", "tls", "run")}},
            "postgres_tenancy_host": live["Endpoint"],
            "postgres_tenancy_reader_host": live["ReaderEndpoint"],
            "postgres_tenancy_port": str(live["Port"]), "postgres_tenancy_database": DATABASE,
            "postgres_tenancy_tenants": [{**tenant, "connections": 1} for tenant in TENANTS],
            "postgres_tenancy_admin_secret": "acme/pgbouncer",
            "postgres_tenancy_tls_secret": "acme/tls",
            "postgres_tenancy_settings": {"log_stats": False, "tcp_keepalive": True},
            "postgres_tenancy_ca_cert": "rds-ca.pem", "postgres_tenancy_authorities":
                (self.world.launcher.folder / "rds-ca.pem").read_text()})
        config = next(o["data"] for o in objects if o["kind"] == "ConfigMap")
        return {**{f"config/{name}": text for name, text in config.items()},
                **{f"users/{name}": text for name, text in PASSWORDS.items()},
                "tls/tls.crt": certificate[0].decode(), "tls/tls.key": certificate[1].decode()}

    def start(self) -> None:
        (self.folder / "run").mkdir()
        for name, text in self.files().items():
            self.write(name, text)
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        other = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} \
            if os.geteuid() == 0 else {}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["sh", self.folder / "config" / "start.sh"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.folder, start_new_session=True, **other)
        soon(self.answers, what="PgBouncer")

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log()
        try:
            return bool(self.ask("pgbouncer", "SHOW VERSION", dbname="pgbouncer"))
        except psycopg.OperationalError:
            return False

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def stop(self) -> None:
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.folder)

    def connect(self, name: str, **options) -> psycopg.Connection:
        """As a client of the service."""
        authority = self.folder / "client-ca.pem"
        authority.write_bytes(self.authority.pem)
        return psycopg.connect(**{
            "host": "localhost", "port": self.port, "user": name, "dbname": DATABASE,
            "password": PASSWORDS[name], "sslmode": "verify-full", "sslrootcert": authority,
            "autocommit": True, "prepare_threshold": None, **options})

    def ask(self, name: str, text: str, **options) -> list:
        """One answer, on a connection of its own."""
        with self.connect(name, **options) as connection:
            return connection.cursor(binary=False).execute(text).fetchall()
