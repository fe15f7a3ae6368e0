# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a cluster is and how to be known there, by a kubeconfig.

https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""
from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import tempfile

try:
    import urllib3
    import yaml
except ImportError:  # run_applyset.py reports the missing library
    urllib3 = yaml = None

from ..engine.errors import Credentials, Refused, Unreachable
from .kubernetes import Connection

FRESH = 600.0  # seconds that a credential is used; EKS takes one for 15 minutes
EXEC_TIME = 60  # seconds that a credential plugin may take


class Kept:
    """A value that is made again when it is older than `seconds`."""

    def __init__(self, make, clock, seconds: float = FRESH):
        self._make, self._clock, self._seconds = make, clock, seconds
        self._value, self._until = None, None

    def __call__(self):
        now = self._clock.now()
        if self._until is None or now > self._until:
            self._value, self._until = self._make(), now + self._seconds
        return self._value


def from_kubeconfig(path: str, context: str | None, clock) -> Connection:
    """The connection that a context of a kubeconfig describes."""
    config = _read(path)
    wanted = context or config.get("current-context")
    known = [c["name"] for c in config.get("contexts") or ()]
    if wanted not in known:
        raise Refused([f"context: {path} has no context {wanted}; known are "
                       f"{', '.join(sorted(known)) or 'none'}"])
    chosen = _named(config, "contexts", wanted, "context")
    cluster = _named(config, "clusters", chosen["cluster"], "cluster")
    user = _named(config, "users", chosen.get("user"), "user")
    folder = os.path.dirname(os.path.abspath(path))
    given = Kept(lambda: _exec(user["exec"], folder), clock) if "exec" in user else dict
    name = cluster.get("tls-server-name")
    options = {"server_hostname": name} if name else {}
    if cluster.get("insecure-skip-tls-verify"):
        options["assert_hostname"] = False
    return Connection(
        server=cluster["server"], name=f"context {wanted}", proxy=cluster.get("proxy-url") or "",
        context=_context(cluster, {**user, **given()}, folder), options=options,
        headers=lambda: _headers({**user, **given()}, folder),
        kubeconfig=lambda _folder: (os.path.abspath(path), wanted))


def write_private(path: str, data: dict) -> str:
    """Writes the data to a file that nobody else may read; returns its path."""
    part = f"{path}.{os.getpid()}"
    with open(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as file:
        json.dump(data, file, indent=2)
    os.replace(part, path)
    return path


def documents(stream) -> list:
    """All documents of a YAML text or file, by the C library where it is there."""
    return list(yaml.load_all(stream, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def _read(path: str) -> dict:
    try:
        with open(path, encoding="utf-8") as file:
            return (documents(file) or [{}])[0] or {}
    except (OSError, yaml.YAMLError) as error:
        raise Refused([f"kubeconfig: {path} cannot be read: {error}"]) from None


def _named(config: dict, part: str, name: str, inner: str) -> dict:
    return next((item.get(inner) or {} for item in config.get(part) or () if item["name"] == name),
                {})


def _context(cluster: dict, user: dict, folder: str):
    """TLS as the cluster and the user want it."""
    if not cluster.get("server", "").startswith("https"):
        return None
    authority = _data(cluster, "certificate-authority", folder)
    context = ssl.create_default_context(cadata=authority)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # as asked for
    certificate, key = (_data(user, f"client-{n}", folder) for n in ("certificate", "key"))
    if certificate and key:
        with tempfile.NamedTemporaryFile("w") as file:  # ssl takes it from files only; mode 0600
            file.write(f"{certificate}\n{key}")
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _data(part: dict, name: str, folder: str) -> str | None:
    """A PEM text, given inline or as a file's path."""
    if part.get(f"{name}-data"):
        return base64.b64decode(part[f"{name}-data"]).decode()
    if not part.get(name):
        return None
    return _text(os.path.join(folder, part[name]))


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise Refused([f"kubeconfig: {error}"]) from None


def _headers(user: dict, folder: str) -> dict:
    if user.get("tokenFile"):
        return {"Authorization": f"Bearer {_text(os.path.join(folder, user['tokenFile'])).strip()}"}
    if user.get("token"):
        return {"Authorization": f"Bearer {user['token']}"}
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password', '')}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _exec(plugin: dict, folder: str) -> dict:
    """What a credential plugin says, in the words of a kubeconfig's user."""
    command = [plugin["command"], *(plugin.get("args") or ())]
    if os.sep in command[0]:
        command[0] = os.path.join(folder, command[0])
    info = {"apiVersion": plugin.get("apiVersion"), "kind": "ExecCredential",
            "spec": {"interactive": False}}
    environment = {**os.environ, **{v["name"]: v["value"] for v in plugin.get("env") or ()},
                   "KUBERNETES_EXEC_INFO": json.dumps(info)}
    try:
        # pylint: disable-next=ansible-bad-function  # clients know no module of Ansible
        done = subprocess.run(command, env=environment, capture_output=True, text=True,
                              timeout=EXEC_TIME, check=True, stdin=subprocess.DEVNULL)
        status = json.loads(done.stdout)["status"]
    except subprocess.CalledProcessError as error:
        raise Credentials("Exec", f"{command[0]}: {error.stderr.strip()[-300:]}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable("Exec", f"{command[0]}: {error}") from None
    except (ValueError, KeyError):
        raise Credentials("Exec", f"{command[0]} gave no credential") from None
    pem = {f"client-{n}-data": base64.b64encode(status[f].encode()).decode()
           for n, f in (("certificate", "clientCertificateData"), ("key", "clientKeyData"))
           if status.get(f)}
    return {**pem, **({"token": status["token"]} if status.get("token") else {})}
