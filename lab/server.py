"""The lab behind a port: the same Lab.handle, and a control API under /_lab/."""

import json
import os
import signal
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from moto.core.routing import get_service_router

from lab import processes
from lab.aws import Lab
from lab.errors import Drop, Killed
from lab.wire import Answer

CONTROL = "/_lab/"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, lab, door):
        self.lab = lab
        super().__init__(door.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = door


def serve_on(door, settings, folder):
    """Answer at a socket that listens already; clusters keep their files in the folder."""
    lab = Lab(settings, folder=folder)
    threading.Thread(target=warm_up, daemon=True).start()
    try:
        Server(lab, door).serve_forever()
    finally:
        lab.close()


def warm_up():
    """Read the service models that every run needs, while the first caller still starts."""
    for service in ("sts", "ec2", "iam", "s3", "eks"):
        get_service_router(service)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet an answer

    def handle_any(self):
        try:
            body = self.read_body()
            if self.path.startswith(CONTROL):
                self.control(body)
            else:
                self.aws(body)
        except Drop:
            self.close_connection = True
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = handle_any

    def handle_expect_100(self):
        """What S3's clients wait for, at most a second, before they send a body."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def read_body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return b"".join(self.chunks())
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def chunks(self):
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def aws(self, body):
        lab = self.server.lab
        headers = dict(self.headers.items())
        url = f"http://{self.headers.get('Host', 'localhost')}{self.path}"
        try:
            answer = lab.handle(self.command, url, headers, body)
        except Killed as killed:
            lab.revive()
            self.kill(killed.args[1] if len(killed.args) > 1 else None)
            raise Drop from killed
        except Drop:
            raise
        except Exception as error:  # the lab's own mistake: said, logged, and not hung up
            traceback.print_exc(file=sys.stderr)
            answer = Answer(500, {"Content-Type": "text/plain"},
                            f"the lab failed: {error!r}".encode())
        self.send(answer.status, answer.headers, answer.body)

    def kill(self, pid):
        pid = pid or processes.owner_of(self.client_address[1], self.server.server_address[1])
        if pid and pid != os.getpid():
            os.kill(pid, signal.SIGKILL)

    def control(self, body):
        parts = urlsplit(self.path)
        name = parts.path[len(CONTROL):].strip("/")
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        try:
            status, result = control(self.server.lab, self.command, name, query,
                                     json.loads(body) if body else None)
        except (ValueError, TypeError, KeyError) as error:
            status, result = 400, {"error": str(error)}
        content = json.dumps(result, default=str, indent=1).encode()
        self.send(status, {"Content-Type": "application/json"}, content)

    def send(self, status, headers, body):
        self.send_response(status)
        length = str(len(body))
        for key, value in headers.items():
            if key.lower() == "content-length":
                length = value if self.command == "HEAD" else length
            elif key.lower() not in ("status", "transfer-encoding", "connection", "date",
                                     "server"):
                self.send_header(key, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *args):
        pass


def control(lab, method, name, query, body):
    """The control API: (method, name) -> (status, JSON)."""
    if name == "reset" and method == "POST":
        lab.reset()
        return 200, {"reset": True}
    if name == "calls" and method == "GET":
        log = {} if query.get("log") == "0" else {"log": lab.calls.log}
        return 200, {**lab.calls.summary(), **log,
                     "violations": lab.violations, "missing": lab.missing}
    if name == "calls" and method == "DELETE":
        lab.calls.clear()
        return 200, {"cleared": True}
    if name == "settings":
        if method in ("PUT", "POST"):
            lab.set(**body)
        return 200, lab.settings.as_dict()
    if name == "faults" and method in ("PUT", "POST"):
        lab.set(faults=body)
        return 200, lab.settings.faults
    if name == "faults":
        return 200, {"faults": lab.settings.faults, "struck": lab.plan.struck,
                     "writes": lab.plan.write_calls}
    if name == "inventory" and method == "GET":
        return 200, lab.inventory(query.get("account"), query.get("region"))
    if name == "clusters" and method == "GET":
        return 200, lab.fleet.tell()
    return 404, {"error": f"no {method} {CONTROL}{name}"}
