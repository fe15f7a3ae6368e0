"""What EKS itself serves beside a cluster: its OIDC issuer, and the webhooks its API server asks.

Sources: OpenID Connect Discovery 1.0, userguide/enable-iam-roles-for-service-accounts.html.
"""

import json
import ssl
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Door(ThreadingHTTPServer):
    """HTTPS on the loopback. `pages` are answers by path, `webhooks` functions by path."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        self.pages, self.webhooks, self.serving = {}, {}, False

    def open(self, certificate, key):
        """Serve from here on; files of the certificate and its key."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        # The handshake is the handler's, so that a slow caller holds up nobody.
        self.socket = context.wrap_socket(self.socket, server_side=True,
                                          do_handshake_on_connect=False)
        self.serving = True
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        if self.serving:
            self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """Callers that hang up are no news."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self):
        page = self.server.pages.get(self.path)
        self.send(200 if page else 404, page or {"error": "there is nothing here"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        webhook = self.server.webhooks.get(self.path.split("?")[0])
        if webhook is None:
            return self.send(404, {"error": "there is nothing here"})
        try:
            return self.send(200, webhook(json.loads(body)))
        except Exception as error:  # the lab's own mistake: said and logged
            traceback.print_exc(file=sys.stderr)
            return self.send(500, {"error": repr(error)})

    def send(self, status, answer):
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, *args):
        pass


def discovery(issuer):
    """The documents that say how tokens of this issuer are verified."""
    return {"issuer": issuer, "jwks_uri": f"{issuer}/keys",
            "authorization_endpoint": "urn:kubernetes:programmatic_authorization",
            "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
            "claims_supported": ["sub", "iss"],
            "id_token_signing_alg_values_supported": ["RS256"]}
