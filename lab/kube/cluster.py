"""One control plane: its folder, its certificates, its processes, from start to stop."""

import ipaddress
import json
import secrets
import shutil
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from lab.kube import children, parts
from lab.kube.api import Api, ApiError
from lab.kube.door import Door, discovery
from lab.kube.pki import Authority, Signer

STAGES = Path(__file__).parent / "stages.yaml"
READY_SECONDS = 90   # on a machine that is busy with other things
ATTEMPTS = 3         # another program may take a port between its choice and its use
LOOK_SECONDS = 0.03


class ClusterError(Exception):
    pass


def free_ports(*names):
    """{name: port}; all are held until all are chosen."""
    doors = {name: socket.create_server(("127.0.0.1", 0)) for name in names}
    ports = {name: door.getsockname()[1] for name, door in doors.items()}
    for door in doors.values():
        door.close()
    return ports


class Cluster:
    """`options` are of fleet.py, `programs` of build.py; `webhooks` are functions by name."""

    def __init__(self, folder, options, programs, webhooks):
        self.folder, self.options, self.programs = Path(folder), options, programs
        self.webhooks, self.stages = webhooks, self.folder / "stages.yaml"
        self.children, self.lock, self.stopped = {}, threading.Lock(), False
        self.ready = threading.Event()
        self.error = self.api = self.door = None
        self.tokens = {name: secrets.token_urlsafe(32) for name in parts.LOGINS}

    # ---- what callers need ------------------------------------------------------------------

    @property
    def endpoint(self):
        return f"https://localhost:{self.ports['apiserver']}"

    @property
    def kubeconfig(self):
        """Of the lab's own administrator."""
        return self.folder / "admin.json"

    def start(self):
        """Returns when the control plane answers and its controllers work."""
        try:
            self._prepare()
            for attempt in range(ATTEMPTS):
                try:
                    self._start_parts()
                    break
                except ClusterError:
                    self._stop_parts()
                    if attempt == ATTEMPTS - 1 or self.stopped:
                        raise
            self.ready.set()
        except Exception as error:
            self.error = error
            raise

    def upgrade(self, version):
        """Go on as a server of that version. EKS replaces its servers one by one; here the one
        is away for two seconds."""
        self.options = replace(self.options, version=version)
        with self.lock:
            children.stop([self.children.pop("apiserver")])
        self._launch({"apiserver": parts.FIRST["apiserver"]})
        self._await("the API server", lambda: self.api.get("/readyz"))

    def begin(self, name):
        """Let a part run that not every cluster has, if it does not run."""
        child = self.children.get(name)
        if not self.stopped and (child is None or child.poll() is not None):
            self._launch({name: parts.LATER[name]})

    def finish(self, name):
        """The opposite."""
        with self.lock:
            child = self.children.pop(name, None)
        children.stop([child] if child else [])

    def end(self):
        """Nothing runs any more; the logs stay."""
        with self.lock:
            self.stopped = True
        self._stop_parts()
        if self.door:
            self.door.close()

    def stop(self):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- how it starts ----------------------------------------------------------------------

    def _prepare(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o700)
        self.stages.write_text(yaml.safe_dump_all(yaml.safe_load(STAGES.read_text())))
        authority, signer, self.door = Authority(), Signer(), Door()
        self.authority = authority.pem.decode()
        self.issuer = f"https://localhost:{self.door.port}{self.options.issuer_path}"
        first_address = str(ipaddress.ip_network(self.options.service_cidr)[1])
        certificate, key = authority.serve(
            "localhost", "127.0.0.1", "kubernetes", "kubernetes.default",
            "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", first_address)
        for name, content in {"ca.crt": authority.pem, "server.crt": certificate,
                              "server.key": key, "signer.key": signer.pem}.items():
            (self.folder / name).write_bytes(content)
        path = urlsplit(self.issuer).path
        self.door.pages = {f"{path}/.well-known/openid-configuration": discovery(self.issuer),
                           f"{path}/keys": signer.jwks()}
        self.door.webhooks = {f"/{name}": answer for name, answer in self.webhooks.items()}
        self.door.open(self.folder / "server.crt", self.folder / "server.key")

    def _write_files(self):
        authority, rows = self.folder / "ca.crt", []
        for name, (user, groups) in parts.LOGINS.items():
            rows.append(f'{self.tokens[name]},{user},{user},"{groups}"')
            self._write(name, parts.kubeconfig(self.endpoint, authority, self.tokens[name]))
        (self.folder / "tokens.csv").write_text("\n".join(rows) + "\n")
        for name in self.webhooks:
            server = f"https://localhost:{self.door.port}/{name}"
            self._write(name, parts.kubeconfig(server, authority))
        self._write("scheduler", parts.scheduler_configuration(self))

    def _write(self, name, content):
        (self.folder / f"{name}.json").write_text(json.dumps(content))

    def _start_parts(self):
        self.ports = free_ports("etcd", "etcd peer", "apiserver")
        self.api = Api(self.ports["apiserver"], self.folder / "ca.crt", self.tokens["admin"])
        self._write_files()
        self._launch(parts.FIRST)
        self._await("the API server", lambda: self.api.get("/readyz"))
        self._launch(parts.THEN)
        # The service account shows the controllers at work; pods are refused without it.
        self._await("the controllers", lambda: self.api.get(
            "/api/v1/namespaces/default/serviceaccounts/default"))

    def _launch(self, group):
        for name, (program, words, arguments) in group.items():
            command = [self.programs[program], *words, *arguments(self)]
            with self.lock:
                if self.stopped:
                    raise ClusterError("stopped while it started")
                self.children[name] = children.start(command, self.folder / f"{name}.log")

    def _await(self, what, look):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and not self.stopped:
            try:
                return look()
            except (ApiError, OSError):
                self._check_children()
                time.sleep(LOOK_SECONDS)
        raise ClusterError(f"{what} of the cluster {self.options.name} did not come up; see the "
                           f"logs in {self.folder}")

    def _check_children(self):
        for name, child in list(self.children.items()):
            if child.poll() is not None:
                lines = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
                raise ClusterError(f"{name} of the cluster {self.options.name} ended with "
                                   f"{child.returncode}: {' '.join(lines[-1:])[-300:]}")

    def _stop_parts(self):
        with self.lock:
            going, self.children = list(self.children.values()), {}
        children.stop(going)
