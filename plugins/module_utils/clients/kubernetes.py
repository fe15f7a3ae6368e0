# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The only way to a Kubernetes API server: JSON in and out, counted calls, no writes in a plan.

https://kubernetes.io/docs/reference/using-api/api-concepts/
"""
from __future__ import annotations

import collections
import dataclasses
import json
import re
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

try:
    import urllib3
except ImportError:  # run_applyset.py reports the missing library
    urllib3 = None

from ..engine import errors
from ..engine.wait import Clock
from .errors import WriteRefused

MANAGER = "groundwork"  # owner of the fields that we apply
CONFLICT = "FieldManagerConflict"  # fields of the object belong to other managers
ATTEMPTS = 5  # tries of a read, and of a write that was refused for its rate
WIDTH = 8  # calls side by side
PAGE = 500  # objects of a page, as kubectl asks for
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
# https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches
METADATA = "application/json;g=meta.k8s.io;v=v1;as=PartialObjectMetadataList"
APPLY = "application/apply-patch+yaml"  # JSON is YAML
# First match wins: (status, pattern of reason, causes and message) -> kind of failure.
# https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/
# api-conventions.md#response-status-kind
KINDS = (
    (401, "", errors.Credentials),
    (403, "exceeded quota", errors.Quota),
    (403, "NamespaceTerminating", errors.Busy),
    (403, "", errors.Denied),
    (404, "", errors.NotFound),
    (409, "AlreadyExists", errors.Exists),
    (409, CONFLICT, None),
    (409, "", errors.Busy),
    (429, "DisruptionBudget", errors.Busy),
    (429, "", errors.Throttled),
    (500, "request is too large", None),  # of etcd: https://etcd.io/docs/v3.5/dev-guide/limit/
    (500, "failed calling webhook", None),
    (500, "failed to create typed patch object", None),
    (500, "failed to convert new object", None),
    (500, "", errors.Ambiguous),
)
PLACE = re.compile(r"(<[^>]*object at 0x\w+>|\w+Connection\(.*?\)|Failed to establish a new "
                   r"connection): ?")  # how urllib3 begins to tell of a connection
HEAD = re.compile(r"^failed to (create typed patch|convert new) object \(.*?\)( to [^:]*)?: ")
GO = re.compile(r"&value\.valueUnstructured\{Value:(.*?)\}")  # a value as Go's own debugging has it
DUMP = re.compile(r"(Invalid value: )(?!\"[^\"]{0,80}\": |[^\s\"{]{1,80}: ).*(?=: )", re.S)


class Rejected(errors.ServiceFailure):
    """The server will not have the object; `causes` are (field, message) pairs."""

    causes: tuple = ()


@dataclasses.dataclass(frozen=True)
class Served:
    """What the server says of a kind."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: tuple

    @property
    def path(self) -> str:
        """Where its objects are listed, of all namespaces."""
        base = f"/apis/{self.group}" if self.group else "/api"
        return f"{base}/{self.version}/{self.plural}"

    def at(self, namespace: str = "", name: str = "") -> str:
        """The path of an object, or of all in a namespace."""
        head, tail = self.path.rsplit("/", 1)
        parts = [*(("namespaces", namespace) if self.namespaced and namespace else ()), tail,
                 *((name,) if name else ())]
        return "/".join((head, *(urllib.parse.quote(part, safe="") for part in parts)))


@dataclasses.dataclass(frozen=True)
class Connection:
    """Where a server is and how to be known there; `headers()` may be asked again and again."""

    server: str
    context: object = None  # ssl.SSLContext
    headers: object = dict
    name: str = ""  # for people
    proxy: str = ""
    options: dict = dataclasses.field(default_factory=dict)  # of the pool
    kubeconfig: object = None  # (folder for it) -> (path, context), for other programs


def told(answer: dict) -> str:
    """What a Status says, without the dumps of whole objects that some messages hold."""
    causes = (answer.get("details") or {}).get("causes") or ()
    lines = [": ".join(filter(None, (c.get("field"), DUMP.sub(r"\1(…)", c.get("message", "")))))
             for c in causes]
    if lines:
        return "; ".join(dict.fromkeys(lines))
    text = GO.sub(r"\1", HEAD.sub("", str(answer.get("message", ""))))
    return re.sub(r"\n\s*", "; ", text.removeprefix("errors:").strip())[:600]


def failure(status: int, answer: dict, operation: str) -> errors.ServiceFailure:
    """The engine's failure for a Status of the server."""
    causes = (answer.get("details") or {}).get("causes") or ()
    reason = answer.get("reason") or ("Invalid" if HEAD.match(str(answer.get("message"))) else
                                      str(status))
    seen = " ".join([reason, answer.get("message") or "",
                     *(str(c.get("reason")) for c in causes)])
    code = CONFLICT if CONFLICT in seen else reason
    same = 500 if status >= 500 else status
    kind = next((k for s, pattern, k in KINDS if s == same and pattern in seen), None) or Rejected
    error = kind(code, told(answer), operation)
    error.causes = tuple((c.get("field", ""), c.get("message", "")) for c in causes)
    return error


def translate(error: Exception, operation: str, where: Connection) -> errors.ServiceFailure:
    """The engine's failure for a connection that did not work."""
    reason = getattr(error, "reason", None) or error
    text = PLACE.sub("", str(reason))
    no_effect = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError,
                 urllib3.exceptions.SSLError, urllib3.exceptions.ProxyError)
    if isinstance(reason, no_effect):
        advice = ("the kubeconfig's certificate authority is not the server's"
                  if isinstance(reason, urllib3.exceptions.SSLError) else
                  "is it up, and does it let this machine in?")
        return errors.Unreachable("Unreachable", f"{where.name} at {where.server}: {text}; "
                                  f"{advice}", operation)
    return errors.Ambiguous("NoAnswer", text, operation)


class Cluster:
    """An API server as the types see it."""

    def __init__(self, connection: Connection, read_only: bool = True, clock: Clock | None = None):
        self.connection, self.read_only = connection, read_only
        self.clock = clock or Clock()
        self.calls = collections.Counter()  # "read" and "write" -> requests
        self.helm = None  # the program, where a set has releases
        # What the types remember between two readings, by key:
        self.made = set()  # made in this run
        self.predicted = {}  # (fingerprint of the live object, what an apply would make of it)
        self.conflicts = {}  # (field, what the server says of its manager) pairs
        self._pool = self._make_pool()
        self._served, self._lock = None, threading.Lock()
        self._discovering = threading.Lock()

    def _make_pool(self):
        options = dict(maxsize=4 * WIDTH, retries=False, ssl_context=self.connection.context,
                       timeout=urllib3.Timeout(connect=10, read=70), **self.connection.options)
        if self.connection.proxy:
            return urllib3.ProxyManager(self.connection.proxy, **options)
        return urllib3.PoolManager(**options)

    @property
    def counts(self) -> dict:
        """Requests so far: {"reads": n, "writes": n}."""
        return {"reads": self.calls["read"], "writes": self.calls["write"]}

    def count(self, reads: bool) -> None:
        """Notes one request."""
        with self._lock:
            self.calls["read" if reads else "write"] += 1

    def call(self, method: str, path: str, body=None, query: dict | None = None,
             headers: dict | None = None) -> tuple[int, dict]:
        """One request, (status, answer); repeated only when it certainly changed nothing."""
        reads = method == "GET" or (query or {}).get("dryRun") == "All"
        operation = f"{method.lower()} {path}"
        if self.read_only and not reads:
            raise WriteRefused(f"{operation} is a write, and this run may only read")
        url = self.connection.server.rstrip("/") + path
        url += "?" + urllib.parse.urlencode(query) if query else ""
        data = None if body is None else json.dumps(body, default=lambda v: v.reveal())
        for turn in range(ATTEMPTS):
            try:
                return self._once(method, url, data, headers or {}, operation, reads)
            except (errors.Throttled, errors.Ambiguous) as error:
                if turn == ATTEMPTS - 1 or (isinstance(error, errors.Ambiguous) and not reads):
                    raise
            self.clock.sleep(self.clock.jitter(0.2 * 2 ** turn))
        raise AssertionError("unreachable")

    def _once(self, method, url, data, headers, operation, reads) -> tuple[int, dict]:
        self.count(reads)
        try:
            answer = self._pool.request(method, url, body=data, headers={
                "Accept": "application/json", "User-Agent": "groundwork.aws",
                "Content-Type": "application/json", **headers, **self.connection.headers()})
        except urllib3.exceptions.HTTPError as error:
            raise translate(error, operation, self.connection) from None
        try:
            found = json.loads(answer.data) if answer.data else {}
        except ValueError:
            found = answer.data.decode(errors="replace").strip()
        if not isinstance(found, dict):
            if answer.status < 400:
                raise errors.Ambiguous("NoObject", f"{self.connection.name} answers with something "
                                       "that is no object of Kubernetes; is a proxy between?",
                                       operation)
            found = {"message": str(found)[:300]}
        if answer.status == 401:
            raise errors.Credentials("Unauthorized", f"{self.connection.name} refuses the "
                                     "credentials; log in again, or let an administrator give "
                                     "the caller access (EKS: an access entry)", operation)
        if answer.status >= 400:
            raise failure(answer.status, found, operation)
        return answer.status, found

    def get(self, path: str, **query) -> dict:
        """One read."""
        return self.call("GET", path, query=query)[1]

    def pages(self, path: str, headers: dict | None = None, **query) -> list[dict]:
        """All objects of a listing; each says itself what it is, as it does when read alone."""
        found = []
        while True:
            page = self.call("GET", path, query={"limit": PAGE, **query}, headers=headers)[1]
            kind = {"apiVersion": page.get("apiVersion"),
                    "kind": page.get("kind", "").removesuffix("List")}
            found += [{**kind, **item} for item in page.get("items") or ()]
            query["continue"] = (page.get("metadata") or {}).get("continue")
            if not query["continue"]:
                return found

    def apply(self, path: str, manifest: dict, force: bool = False,
              dry: bool = False) -> tuple[bool, dict]:
        """Server-side apply: (whether the object was made, the object)."""
        query = {"fieldManager": MANAGER, "force": str(force).lower(),
                 "fieldValidation": "Strict", **({"dryRun": "All"} if dry else {})}
        status, found = self.call("PATCH", path, manifest, query, {"Content-Type": APPLY})
        return status == 201, found

    def delete(self, path: str, uid: str, foreground: bool = False) -> None:
        """Removes the very object with this uid; `foreground`: what it owns goes before it."""
        policy = "Foreground" if foreground else "Background"
        try:
            self.call("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1",
                                       "propagationPolicy": policy, "preconditions": {"uid": uid}})
        except errors.Busy as failure:
            if "UID in precondition" in failure.text:  # another one of that name
                raise errors.NotFound(failure.code, failure.text, failure.operation) from None
            raise

    def map(self, function, items, width: int = WIDTH) -> list:
        """`function` of each item, side by side."""
        items = list(items)
        if len(items) < 2:
            return [function(item) for item in items]
        with ThreadPoolExecutor(width) as pool:
            return list(pool.map(function, items))

    def served(self, group: str, kind: str, version: str = "", fresh: bool = False):
        """What the server says of a kind, by default of its preferred version; None: unknown."""
        with self._discovering:
            if self._served is None or fresh:
                pages = self.map(lambda path: self.call(
                    "GET", path, headers={"Accept": AGGREGATED})[1], ["/api", "/apis"])
                self._served = _kinds(pages)
        found = self._served.get((group, kind), {})
        return found.get(version) if version else next(iter(found.values()), None)

    def holding(self, **query) -> list[Served]:
        """Kinds of which a listing finds something, of those that the caller may list."""
        self.served("", "Namespace")

        def found(kind: Served) -> bool:
            try:
                return bool(self.get(kind.path, limit=1, **query).get("items"))
            except (errors.Denied, errors.NotFound):
                return False

        kinds = [next(iter(versions.values())) for versions in self._served.values()]
        kinds = [kind for kind in kinds if {"list", "delete"} <= {*kind.verbs}]
        return [kind for kind, there in zip(kinds, self.map(found, kinds)) if there]


class Nowhere:
    """A cluster that is still to be made: it has nothing, and every kind may be there one day."""

    counts = {"reads": 0, "writes": 0}

    def __init__(self, name: str, clock: Clock):
        self.connection, self.clock = Connection(server="", name=name), clock
        self.read_only, self.made, self.predicted = True, set(), {}

    def served(self, *_kind, **_options) -> None:
        """Nobody knows."""

    def get(self, path: str, **_query) -> dict:
        """Nothing is there."""
        raise errors.NotFound("NotFound", "the cluster is still to be made", f"get {path}")


def _kinds(pages) -> dict:
    """(group, kind) -> version -> Served, the preferred version first."""
    found = collections.defaultdict(dict)
    for group in (g for page in pages for g in page.get("items", ())):
        name = group["metadata"].get("name", "")
        for version in group.get("versions", ()):
            for row in version.get("resources", ()):
                kind = (row.get("responseKind") or {}).get("kind") or row["resource"]
                found[name, kind][version["version"]] = Served(
                    name, version["version"], kind, row["resource"],
                    row["scope"] == "Namespaced", tuple(row.get("verbs", ())))
    return found
