# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A way to an API server on which both the module and helm can be killed at any of their writes."""
from __future__ import annotations

import contextlib
import http.server
import json
import os
import signal
import threading
from pathlib import Path

import urllib3
from ansible_collections.groundwork.aws.plugins.module_utils.clients.kubeconfig import (
    from_kubeconfig,
)
from ansible_collections.groundwork.aws.plugins.module_utils.engine.wait import Clock

OURS = "groundwork.aws"  # how the module names itself to the server
HOP = ("connection", "host", "content-length", "transfer-encoding", "accept-encoding")


class Gate:
    """Passes everything on to the server of a kubeconfig, until it strikes: then nothing more.

    `place`: (number of the write, "before" or "after" its effect), or None.
    """

    def __init__(self, kubeconfig: str, folder: Path, helm: str):
        self.real = from_kubeconfig(kubeconfig, None, Clock())
        self.pool = urllib3.PoolManager(maxsize=32, retries=False, ssl_context=self.real.context,
                                        timeout=urllib3.Timeout(connect=10, read=600))
        self.place, self.writes, self.dead, self.lock = None, [], False, threading.Lock()
        handler = type("Handler", (Passage,), {"gate": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.kubeconfig, self.helm = folder / "kubeconfig", folder / "helm"
        self.running = folder / "pid"  # of the helm that was started last
        self.helm.write_text(f"#!/bin/sh\necho $$ > {self.running}\nexec {helm} \"$@\"\n")
        self.helm.chmod(0o700)
        address = f"http://127.0.0.1:{self.server.server_port}"
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "gate", "users": [],
            "clusters": [{"name": "gate", "cluster": {"server": address}}],
            "contexts": [{"name": "gate", "context": {"cluster": "gate", "user": ""}}]}))

    def begin(self, place: tuple | None = None) -> None:
        """Lets everything pass, up to this place."""
        self.place, self.writes, self.dead = place, [], False

    def strikes(self, method: str, path: str) -> str:
        """Notes a request; "before" or "after" where it is the one to die at, else nothing."""
        with self.lock:
            if method == "GET" or "dryRun=All" in path or "/leases" in path:
                return ""
            self.writes.append(f"{method} {path}")
            return self.place[1] if self.place and self.place[0] == len(self.writes) else ""

    def kill(self, agent: str) -> None:
        """The end of the module, and of the helm that it runs."""
        self.dead = True
        if agent != OURS:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(self.running.read_text()), signal.SIGKILL)


class Passage(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version, gate = "HTTP/1.1", None

    def log_message(self, *_args):
        """Says nothing."""

    def handle_one(self):
        """One request and its answer, piece by piece, for some are watches."""
        gate, agent = self.gate, self.headers.get("User-Agent", "")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        when = gate.strikes(self.command, self.path)
        if when == "before":
            gate.kill(agent)
        if gate.dead:
            self.close_connection = True
            return
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP}
        answer = gate.pool.request(
            self.command, gate.real.server + self.path, body=body or None, redirect=False,
            headers={**headers, **gate.real.headers()}, preload_content=False)
        if when == "after":
            answer.read()
            gate.kill(agent)
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in HOP:
                self.send_header(name, value)
        if answer.status in (204, 304):  # they have no body
            self.end_headers()
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for part in filter(None, answer.stream(65536)):
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
            answer.release_conn()
        except (OSError, urllib3.exceptions.HTTPError):  # one of the two has gone
            answer.close()
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one
