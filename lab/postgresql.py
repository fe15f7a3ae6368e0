"""Real PostgreSQL servers behind the lab's Aurora clusters.

Each has an address of its own in the loopback network, and the port that its cluster asks for, as
on AWS. The master user is no superuser, and connections need TLS:
AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.html and
AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html (rds.force_ssl).
"""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from lab.kube import children

READY_SECONDS = 60
FOLDERS = Path("/usr/lib/postgresql")  # a folder a version, in Debian's packages
MISSING = "PostgreSQL is not installed; as root: apt-get install postgresql"
# The roles of RDS that others are members of: .../Appendix.PostgreSQL.CommonDBATasks.Roles.html
SETUP = """\
create role rds_superuser;
grant pg_monitor, pg_signal_backend to rds_superuser with admin option;
create role "{user}" login createrole createdb password '{password}';
grant rds_superuser to "{user}" with admin option;
alter database postgres owner to "{user}";
"""
NAMED = """\
create database "{database}" owner "{user}";
"""
CONFIGURATION = """
listen_addresses = '{address}'
port = {port}
unix_socket_directories = ''
ssl = on
ssl_cert_file = '{folder}/server.crt'
ssl_key_file = '{folder}/server.key'
password_encryption = 'scram-sha-256'
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 16MB
log_statement = 'ddl'
"""
ACCESS = "hostssl all all 127.0.0.0/8 scram-sha-256\n"


class DatabaseError(Exception):
    pass


class NotInstalled(ValueError):
    def __init__(self):
        super().__init__(MISSING)


def programs():
    """The folder of initdb and postgres, of the newest version that is installed; or None."""
    found = sorted(FOLDERS.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


def user():
    """Who runs servers: they refuse to run as root."""
    if os.geteuid():
        return pwd.getpwuid(os.geteuid())
    names = {entry.pw_name for entry in pwd.getpwall()}
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


def free_address(port):
    """An address of the loopback network where nobody listens on that port."""
    for _attempt in range(20):
        address = "127." + ".".join(str(random.randint(1, 254)) for _part in range(3))
        try:
            socket.create_server((address, port)).close()
            return address
        except OSError as error:
            why = error
    raise DatabaseError(f"no loopback address has port {port} free ({why}): something listens on "
                        "all addresses; stop it, or start the lab with {\"postgresql\": false}")


class Server:
    """One server. `address` is (address, port), `master` is (user, password); `authority` signs
    its certificate."""

    def __init__(self, folder, authority, address, database, master):
        self.bin, self.user, self.folder = programs(), user(), Path(folder)
        self.address, self.port = address
        self.authority, self.database, self.master = authority, database, master
        self.process, self.error, self.stopped = None, None, False
        self.lock, self.started = threading.Lock(), threading.Event()

    @property
    def log(self):
        return self.folder / "postgresql.log"

    def start(self):
        """Returns when it answers, or has failed to."""
        try:
            self._prepare()
            with self.lock:
                if self.stopped:
                    raise DatabaseError("stopped while it started")
                self.process = children.start([self.bin / "postgres", "-D", self.data], self.log,
                                              self.user.pw_name)
            self._await()
        except (OSError, subprocess.SubprocessError, DatabaseError) as error:
            self.error = error
        self.started.set()

    def _prepare(self):
        self.data = self.folder / "data"
        certificate, key = self.authority.serve(self.address)
        for name, content in {"server.crt": certificate, "server.key": key}.items():
            (self.folder / name).write_bytes(content)
            (self.folder / name).chmod(0o600)
        for path in (self.folder, *self.folder.iterdir()):
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        self._run("initdb", "-U", "rdsadmin", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8",
                  "--wal-segsize=1", "--auth=reject", "--no-instructions")
        name, password = self.master
        text = SETUP + NAMED * (self.database != "postgres")
        self._run("postgres", "--single", "-F", "template1", text=text.format(
            user=name, password=password.replace("'", "''"), database=self.database))
        with open(self.data / "postgresql.conf", "a") as file:
            file.write(CONFIGURATION.format(address=self.address, port=self.port,
                                            folder=self.folder))
        (self.data / "pg_hba.conf").write_text(ACCESS)

    def _run(self, program, *words, text=None):
        done = subprocess.run(
            [self.bin / program, *words], cwd=self.folder, input=text,
            text=True, capture_output=True, check=False, env={"PGDATA": str(self.data)},
            **({"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
               if os.geteuid() == 0 else {}))
        if done.returncode or "ERROR:" in done.stderr:
            raise DatabaseError(f"{program}: {' '.join(done.stderr.split())[-300:]}")

    def _await(self):
        """The server tells in its pid file that it takes connections."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if "ready" in (self.data / "postmaster.pid").read_text():
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise DatabaseError(f"PostgreSQL did not start: {self.log.read_text()[-300:]}")

    def stop(self):
        """At once, and leave nothing behind."""
        with self.lock:
            self.stopped = True
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                children.stop([self.process])
        self.started.wait(READY_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)


class Databases:
    """Servers by key. The authority's certificate, `rds-ca.pem`, is in the lab's folder."""

    def __init__(self, folder=None):
        self.folder, self.servers, self.authority = folder and Path(folder), {}, None

    def start(self, key, port, database, master):
        """Begin to start a server; it says itself when it is there."""
        from lab.kube.pki import Authority  # most labs have no database, and start sooner

        if self.authority is None:
            self.authority = Authority()
            if self.folder:
                self.folder.mkdir(parents=True, exist_ok=True)
                (self.folder / "rds-ca.pem").write_bytes(self.authority.pem)
        address = free_address(port), port
        server = self.servers[key] = Server(self._place(key), self.authority, address, database,
                                            master)
        threading.Thread(target=server.start, daemon=True, name=f"start {key[-1]}").start()
        return server

    def _place(self, key):
        """Another user has no way into most folders of root: its servers are in temporary ones,
        which a link in the lab's folder leads to."""
        link = self.folder and self._link(key)
        if link and os.geteuid():
            link.mkdir(parents=True, mode=0o700)
            return link
        place = Path(tempfile.mkdtemp(prefix="lab-database-"))
        if link:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(place)
        return place

    def _link(self, key):
        return self.folder / "databases" / "-".join(key)

    def get(self, key):
        return self.servers.get(key)

    def stop(self, key):
        server = self.servers.pop(key, None)
        if server:
            server.stop()
            if self.folder and self._link(key).is_symlink():
                self._link(key).unlink()

    def close(self):
        """Stop all of them and leave nothing behind, nor what a killed lab has left."""
        for key in list(self.servers):
            self.stop(key)
        if self.folder:
            for link in (self.folder / "databases").glob("*"):
                shutil.rmtree(link.resolve(), ignore_errors=True)
            shutil.rmtree(self.folder / "databases", ignore_errors=True)
