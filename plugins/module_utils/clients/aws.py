# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The only way to AWS: clients by service name, paged reads, counted calls, no writes in a plan."""
from __future__ import annotations

import collections
import re
import threading
from concurrent.futures import ThreadPoolExecutor

try:
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError
except ImportError:  # run.py reports the missing library
    Config = BotoCoreError = None

from ..engine.errors import Ambiguous, Failure, Throttled
from ..engine.resource import OWNER, search
from ..engine.wait import Clock
from .errors import WriteRefused, accepted, translate
from .throttle import Throttle

READS = ("Describe", "List", "Get", "Head", "BatchGet", "BatchDescribe", "BatchCheck", "Simulate",
         "Lookup", "Search")
NOT_READS = ("GetRandomPassword",)  # reads, but only a creation asks for it; counted as a write
ATTEMPTS = 6  # tries of a read, and of a write that was refused for its rate


def is_read(operation: str) -> bool:
    """Whether an API operation changes nothing, by its name."""
    return operation.startswith(READS) and operation not in NOT_READS


class Service:
    """A boto3 client whose failures are the engine's, and which retries only what is safe."""

    def __init__(self, aws: "Aws", name: str):
        self._aws, self._name = aws, name
        self._client = aws.client(name)
        self.meta = self._client.meta  # what its API is like

    def __getattr__(self, method: str):
        operation = self._client.meta.method_to_api_mapping[method]
        call, aws, name = getattr(self._client, method), self._aws, f"{self._name}:{operation}"

        def attempt(**params):
            for turn in range(ATTEMPTS):
                aws.throttle.wait(self._name, operation)
                try:
                    return accepted(call(**params), name)
                except Exception as error:  # pylint: disable=broad-except  # translated
                    failure = error if isinstance(error, Failure) else translate(error, name)
                if not self._again(operation, failure) or turn == ATTEMPTS - 1:
                    raise failure
                aws.clock.sleep(aws.clock.jitter(0.2 * 2 ** turn))
            return None

        return attempt

    @staticmethod
    def _again(operation: str, failure: Failure) -> bool:
        """A write is only repeated when it certainly had no effect."""
        safe = (Throttled, Ambiguous) if is_read(operation) else Throttled
        return isinstance(failure, safe)

    def paginator(self, method: str):
        """The client's own paginator, or None where the operation has a single page."""
        return self._client.can_paginate(method) and self._client.get_paginator(method)


class Aws:
    """AWS as the types see it: `api.ec2.create_vpc(...)`, `api.pages(...)`, `api.map(...)`."""

    def __init__(self, session, owner: str, read_only: bool = True, clock: Clock | None = None,
                 **client):
        self.session, self.owner, self.read_only = session, owner, read_only
        self.clock = clock or Clock()
        self.throttle = Throttle(self.clock)
        self.calls = collections.Counter()  # "service.Operation" -> HTTP requests
        self.notes = []  # what people must know of what was read
        self.servers = {}  # cluster -> its API server, or None where it cannot be asked
        self._client_options, self._clients, self._lock = client, {}, threading.Lock()
        self._making = threading.Lock()
        self._account = self._tagged = None
        self._tagged_lock = threading.Lock()

    def __getattr__(self, name: str) -> Service:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._clients:
            with self._making:  # boto3 makes one at a time; who has his already does not wait
                if name not in self._clients:
                    self._clients[name] = Service(self, name)
        return self._clients[name]

    def client(self, name: str):
        """A plain boto3 client that never retries by itself and cannot write in a plan."""
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=32,
                        connect_timeout=10, read_timeout=70, user_agent_extra="groundwork.aws")
        if "config" in self._client_options:
            config = config.merge(self._client_options["config"])
        options = {**self._client_options, "config": config}
        try:
            client = self.session.client(name, **options)
        except (BotoCoreError, ValueError) as error:
            raise Failure(f"connect: {error}; look at aws_endpoint_url (http://HOST:PORT) and at "
                          "the configuration of AWS in files and environment") from None
        client.meta.events.register("before-call", self._guard)
        client.meta.events.register("before-send", self._count)
        return client

    def _guard(self, model, **_unused):
        if self.read_only and not is_read(model.name):
            raise WriteRefused(f"{model.service_model.service_name}:{model.name} is a write, "
                               "and this run may only read")

    def _count(self, event_name: str, **_unused):
        _prefix, service, operation = event_name.split(".")
        with self._lock:
            self.calls[f"{service}.{operation}"] += 1

    @property
    def counts(self) -> dict:
        """HTTP requests so far: {"reads": n, "writes": n}."""
        reads = sum(n for name, n in self.calls.items() if is_read(name.split(".")[1]))
        return {"reads": reads, "writes": sum(self.calls.values()) - reads}

    @property
    def region(self) -> str:
        """The region of the session's clients."""
        return self._client_options.get("region_name") or self.session.region_name

    @property
    def partition(self) -> str:
        """The partition part of ARNs, such as aws-cn, by the region."""
        try:
            return self.session.get_partition_for_region(self.region)
        except BotoCoreError as error:
            raise Failure(f"region: {error}") from None

    def prepare(self, services) -> None:
        """Makes clients in the background: it takes long, and the first answers take time too."""
        def make():
            try:
                for name in services:
                    getattr(self, name)
            except Exception:  # pylint: disable=broad-except
                return  # told where the client is needed

        threading.Thread(target=make, daemon=True).start()

    @property
    def account_id(self) -> str:
        """The account of the caller, asked once."""
        if self._account is None:
            self._account = self.sts.get_caller_identity()
        return self._account["Account"]

    @property
    def owner_filter(self) -> list[dict]:
        """EC2 filter for what belongs to the stack."""
        return [{"Name": f"tag:{OWNER}", "Values": [self.owner]}]

    def pages(self, service: str, method: str, path: str, **params) -> list:
        """All items at a JMESPath of a paged read."""
        proxy = getattr(self, service)
        call, items = getattr(proxy, method), []
        paginator = proxy.paginator(method)
        if not paginator:
            return search(path, call(**params)) or []
        token_in, token_out = paginator._input_token, paginator._output_token
        while True:
            page = call(**params)
            items += search(path, page) or []
            tokens = [t.search(page) for t in token_out]
            if not any(tokens):
                return items
            params.update({k: v for k, v in zip(token_in, tokens) if v})

    def map(self, function, items, width: int = 8) -> list:
        """`function` of each item, side by side: for APIs without a bulk read."""
        items = list(items)
        if len(items) < 2:
            return [function(item) for item in items]
        with ThreadPoolExecutor(width) as pool:
            return list(pool.map(function, items))

    def tagged(self, kind: str) -> dict[str, dict]:
        """ARN -> tags of what the tagging API knows of the stack: a second opinion, it is late.

        `kind` is a resource type such as "kms:key", a service whose ARNs name no type, such as
        "s3", or empty for all. Asked once per run.
        """
        with self._tagged_lock:
            if self._tagged is None:
                filters = [{"Key": OWNER, "Values": [self.owner]}]
                self._tagged = self.pages("resourcegroupstaggingapi", "get_resources",
                                          "ResourceTagMappingList", TagFilters=filters,
                                          ResourcesPerPage=100)
        return {f["ResourceARN"]: {t["Key"]: t["Value"] for t in f["Tags"]} for f in self._tagged
                if f["ResourceARN"] and _is_kind(f["ResourceARN"], kind)}


def _is_kind(arn: str, kind: str) -> bool:
    """Whether an ARN is of a service, and of the resource type where one is given."""
    service, _colon, resource = kind.partition(":")
    parts = arn.split(":", 5)
    return not kind or (parts[2] == service and
                        (not resource or re.split("[:/]", parts[5])[0] == resource))
