# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A registry on the loopback, of which a chart can be pulled: nothing else of the specification.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
"""
from __future__ import annotations

import hashlib
import http.server
import json
import ssl
import threading
from pathlib import Path

from lab.kube.pki import Authority

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.cncf.helm.config.v1+json"  # https://helm.sh/docs/topics/registries/
CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


def digest(data: bytes) -> str:
    """How a registry names content."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def described(kind: str, data: bytes) -> dict:
    """A descriptor of content."""
    return {"mediaType": kind, "digest": digest(data), "size": len(data)}


class Registry:
    """Serves one chart under one tag, by TLS."""

    def __init__(self, chart: Path, version: str, folder: Path):
        archive = chart.read_bytes()
        config = json.dumps({"name": chart.stem, "version": version, "apiVersion": "v2"}).encode()
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": described(CONFIG, config),
            "layers": [described(CHART, archive)]}).encode()
        handler = type("Handler", (Pull,), {"content": {
            version: (MANIFEST, manifest), digest(manifest): (MANIFEST, manifest),
            digest(config): (CONFIG, config), digest(archive): (CHART, archive)}})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        authority, pair = Authority(), folder / "pair.pem"
        pair.write_bytes(b"".join(authority.serve("127.0.0.1")))
        self.authority = folder / "ca.pem"
        self.authority.write_bytes(authority.pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"oci://127.0.0.1:{self.server.server_port}/charts"


class Pull(http.server.BaseHTTPRequestHandler):
    """A request for a manifest or a blob."""

    protocol_version, content = "HTTP/1.1", None

    def log_message(self, *_args):
        """Says nothing."""

    def look(self):
        """What is asked for, or that it is unknown."""
        unknown = ("application/json", b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
        name = self.path.rsplit("/", 1)[1]
        kind, data = self.content.get(name, unknown)
        self.send_response(200 if name in self.content else 404)
        for header, value in (("Content-Type", kind), ("Content-Length", str(len(data))),
                              ("Docker-Content-Digest", digest(data))):
            self.send_header(header, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    do_GET = do_HEAD = look
