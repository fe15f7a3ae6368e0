# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bridge between AnsibleModule and the engine, for what is inside a cluster."""
from __future__ import annotations

import contextlib
import functools
import os
import re

from ansible.module_utils.basic import missing_required_lib
from ansible.module_utils.common.parameters import env_fallback

from .clients.helm import Helm, described
from .clients.kubeconfig import from_kubeconfig, yaml
from .clients.kube_lease import LeaseObject
from .clients.kubernetes import METADATA, Cluster, Nowhere, urllib3
from .clients.lease import Held, Lease
from .components.applyset import RELEASE, build, link, secrets_elsewhere
from .engine.errors import Denied, Failure, NotFound, Refused
from .engine.plan import Policy, destroy, plan
from .engine.resource import jmespath
from .engine.wait import Clock
from .options import Module
from .secret_values import filled
from .session import OPTIONS, Session, carry_out
from .types.applyset import ID, PART_OF, Parent
from .types.compare import contested, masked_given, shown, veil
from .types.helm import HelmRelease
from .types.kubernetes import Kinds, group_kind, place

# Those of amazon.aws: its own code brings boto3 along, which a kubeconfig does not need.
AWS = dict(
    region=dict(aliases=["aws_region"],
                fallback=(env_fallback, ["AWS_REGION", "AWS_DEFAULT_REGION"])),
    access_key=dict(aliases=["aws_access_key_id", "aws_access_key"], no_log=False,
                    fallback=(env_fallback, ["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"])),
    secret_key=dict(aliases=["aws_secret_access_key", "aws_secret_key"], no_log=True,
                    fallback=(env_fallback, ["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"])),
    session_token=dict(aliases=["aws_session_token"], no_log=True,
                       fallback=(env_fallback, ["AWS_SESSION_TOKEN"])),
    profile=dict(aliases=["aws_profile"],
                 fallback=(env_fallback, ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])),
    endpoint_url=dict(aliases=["aws_endpoint_url"], fallback=(env_fallback, ["AWS_URL"])),
    validate_certs=dict(type="bool", default=True),
    aws_ca_bundle=dict(type="path", fallback=(env_fallback, ["AWS_CA_BUNDLE"])),
    aws_config=dict(type="dict"),
    debug_botocore_endpoint_logs=dict(type="bool", default=False, fallback=(
        env_fallback, ["ANSIBLE_DEBUG_BOTOCORE_LOGS"])),
)
SPEC = dict(
    name=dict(type="str", required=True),
    namespace=dict(type="str", default="default"),
    objects=dict(type="list", elements="dict", default=[], no_log=True),
    releases=dict(type="list", elements="dict", default=[], options=RELEASE),
    helm_binary=dict(type="path", default="helm"),
    product=dict(type="str"),
    environment=dict(type="str"),
    aws_account_id=dict(type="str"),
    cluster=dict(type="str"),
    kubeconfig=dict(type="path"),
    context=dict(type="str"),
    prune=dict(type="bool", default=True),
    force_conflicts=dict(type="list", elements="str", default=[]),
    timeout=dict(type="int"),
    **OPTIONS,
    **AWS,
)
HOME = "~/.kube/config"
# Of a ConfigMap, and with groundwork- before it of a Lease:
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
NAME, LENGTH = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"), 242


def applyset_module() -> None:
    """main() of the module."""
    module = Module("k8s_applyset", SPEC, required_together=[("product", "environment")])
    for found, library in ((jmespath, "jmespath"), (urllib3, "urllib3"), (yaml, "PyYAML")):
        if found is None:
            module.fail_json(msg=missing_required_lib(library))
    execute(module)


def execute(module) -> None:
    """Plans, and unless in check mode carries out, what the set wants."""
    objects, releases = module.params["objects"], module.params["releases"]
    # What a Secret holds goes no further than the requests; the rest of the objects may be seen.
    module.params["objects"] = [masked_given(o) for o in objects]
    module.params["releases"] = [{**r, "secret_values": shown(veil(r["secret_values"]))}
                                 for r in releases]
    module.no_log_values = {str(module.params[n]) for n in ("secret_key", "session_token")
                            if module.params.get(n)}
    carry_out(module, lambda: SetSession(module, objects, releases, Clock()))


def account(module, clock: Clock):
    """AWS by the options; `Refused` when it is another account than the stack's."""
    from .connect import boto3, connect, guard_account
    if boto3 is None:
        raise Refused([missing_required_lib("boto3")])
    aws = connect(module, clock)
    problems = guard_account(aws, module.params["aws_account_id"])
    if problems:
        raise Refused(problems)
    return aws


def reach(module, clock: Clock, aws) -> Cluster | Nowhere:
    """The cluster that the options name; `aws()` is the account it may be in."""
    params = module.params
    if params["kubeconfig"] or params["context"]:
        path = params["kubeconfig"] or os.environ.get("KUBECONFIG") or os.path.expanduser(HOME)
        return Cluster(from_kubeconfig(path, params["context"], clock), clock=clock)
    if not params["product"]:
        raise Refused(["name a cluster: product and environment of a stack, or kubeconfig "
                       "and context"])
    from .clients.eks_token import from_eks
    name = params["cluster"] or f"{aws().owner}-eks"
    try:
        found = aws().eks.describe_cluster(name=name)["cluster"]
    except NotFound:
        found = {"status": "not there"}
    if found.get("status") in ("ACTIVE", "UPDATING"):
        return Cluster(from_eks(aws(), found), clock=clock)
    if params["state"] == "present" and not module.check_mode:
        raise Refused([f"cluster {name}: it is {found['status'].lower()}; converge the stack "
                       "first"])
    return Nowhere(f"EKS cluster {name}", clock)


class SetSession(Session):
    """One run of the module for one set."""

    def __init__(self, module, objects: list, releases: list, clock: Clock):
        super().__init__(module, clock)
        aws = functools.cache(lambda: account(module, clock))
        self.api = reach(module, clock, aws)
        name = self.params["name"]
        if not NAME.fullmatch(name) or len(name) > LENGTH:
            raise Refused([f"name {name!r}: a set's name is at most {LENGTH} small letters, "
                           "digits, - and ."])
        self.parent = Parent(key=f"{name}/parent/{name}", name=name,
                             namespace=self.params["namespace"])
        self.parent.force_conflicts = tuple(self.params["force_conflicts"])
        self.parent.compared = self.present
        self.parent.tags = self.parent.own_tags
        self.owner = self.parent.id
        self.name = self.api.connection.name
        self.kinds = Kinds(self.api, self.parent, self.params["timeout"] or 0)
        if isinstance(self.api, Cluster):
            self.api.helm = Helm(self.api, self.params["helm_binary"])
        own = [described(r["chart"]).get("version") for r in releases]
        releases = [{**r, "version": r["version"] or v, "own_version": v}
                    for r, v in zip(releases, own)]
        self.resources = [self.parent] if not self.present else \
            self._build(filled(objects, aws, module.check_mode), releases)

    @property
    def present(self) -> bool:
        return self.params["state"] == "present"

    def _build(self, objects: list, releases=(), strict: bool = True) -> list:
        try:
            return build(objects, self.parent, self.kinds, releases, strict)
        except ValueError as error:
            raise Refused(str(error).splitlines()) from None

    def _types(self, scan) -> list:
        """The kinds that the set has had members of; whose parent is gone may still have some."""
        found = [k for live in scan.of(Parent).items for k in live["kinds"]]
        if not (self.present or scan.of(Parent).items or isinstance(self.api, Nowhere)):
            found = [group_kind(kind.group, kind.kind) for kind in
                     self.api.holding(labelSelector=f"{PART_OF}={self.owner}")]
        types = [self.kinds.of_group_kind(k) for k in found]
        types += [self.kinds.release] if "Secret" in found else []  # releases are kept in them
        return [cls for cls in types if cls]

    def plan(self):
        scan = self.scan()
        policy = self.policy()
        types = self._types(scan)
        if not self.present:
            return self._removal(scan, types, policy)
        link([*self.kinds.known.values(), self.kinds.release])
        problems = []
        try:
            current = plan(self.resources, scan, [Parent, *types], policy)
        except Refused as refused:
            problems = refused.problems
        problems += self._rejected()
        if problems:
            missing = [] if self.module.check_mode else self._missing()
            raise Refused([*map(self._named, problems), *missing])
        return current

    def _named(self, problem: str) -> str:
        """The problem with the name of the set that another object belongs to."""
        found = re.search(r"stack (applyset-\S+-v1)", problem)
        sets = self.api.pages("/api/v1/configmaps", labelSelector=f"{ID}={found[1]}") \
            if found else ()
        return problem.replace(found[0], f"set {sets[0]['metadata']['name']}") if sets else problem

    def _removal(self, scan, types: list, policy: Policy):
        """Of all that carries the set's label, in the order that its own references give."""
        members = [item for cls in types if cls is not self.kinds.release
                   for item in cls.members(self.api, self.owner)]
        scan._wanted[:] = self.resources = self._build(members, strict=False)
        link([*self.kinds.known.values(), self.kinds.release])
        return destroy(self.resources, scan, [Parent, *types], policy)

    def _rejected(self) -> list[str]:
        """What the server would not make; of what is there, the plan itself says so."""
        return [f"plan {key}: {after}" for key, (mark, after) in self.api.predicted.items()
                if isinstance(after, Failure) and not isinstance(after, NotFound) and not mark]

    def checked(self, current):
        """What a run needs or must be allowed; in check mode it may be still to come."""
        lacking = [*self._missing(), *(f"plan {change.key}: {contested(change.key, found)}"
                   for change, found in self._owned(current))] if self.present else []
        if lacking and not self.module.check_mode:
            raise Refused(lacking)
        for line in [*lacking, *self._secrets(current)]:
            self.module.warn(line)

    def _secrets(self, current) -> list[str]:
        """Secrets that workloads with something to do need, and that nobody known has or makes."""
        changed = {c.key for c in current.steps}
        wanted = {where: [key for key in keys if key in changed] for where, keys in
                  secrets_elsewhere(self.resources[1:] if self.present else ()).items()}
        spaces = {where.split("/")[0] for where, keys in wanted.items() if keys}
        if not spaces or isinstance(self.api, Nowhere):
            return []
        path = self.api.served("", "Secret").at(spaces.pop() if len(spaces) == 1 else "")
        try:
            there = {place(found["metadata"]) for found in
                     self.api.pages(path, {"Accept": METADATA})}
        except Denied:  # nobody says that it is not
            return []
        return [f"{', '.join(keys)}: Secret {where} is neither in the set nor in the cluster; "
                "until it is made, pods that need it do not start"
                for where, keys in wanted.items() if keys and where not in there]

    def _owned(self, current) -> list:
        """(change, path -> field manager) of what takes fields from others without a word."""
        found = [(c, (c.live or {}).get("owners")) for c in current.changes]
        return [(c, owners) for c, owners in found if owners]

    def _missing(self) -> list[str]:
        """Namespaces and kinds that neither the cluster nor the set has."""
        if isinstance(self.api, Nowhere):
            return []
        members = [r for r in self.resources if r is not self.parent]
        here = {r.place for r in members if r.group_kind == "Namespace"}
        spaces = {r.namespace for r in members
                  if isinstance(self.api.predicted.get(r.key, ("", None))[1], NotFound)}
        spaces |= {space for space in {r.namespace for r in members
                                       if isinstance(r, HelmRelease)} - here
                   if not self._there(space)}
        unknown = {(r.kind, r.api_version) for r in members if not (r.served or r.awaited)}
        if not self.scan().of(Parent).items and not self._there(self.parent.namespace):
            spaces.add(self.parent.namespace)
            here.discard(self.parent.namespace)  # the parent comes before all members
        return [f"namespace {s} is not there; put it into the set, or converge first what makes it"
                for s in sorted(spaces - here)] + \
               [f"unknown kind {kind} of {version} (CRD missing); put its definition or the "
                "release that brings it into the set, or converge first what does"
                for kind, version in sorted(unknown)]

    def _there(self, namespace: str) -> bool:
        try:
            return bool(self.api.get(f"/api/v1/namespaces/{namespace}"))
        except Denied:  # nobody says that it is not
            return True
        except NotFound:
            return False

    def lease(self):
        store = LeaseObject(self.api, self.parent.namespace, f"groundwork-{self.parent.name}")
        return Lease(store, f"{self.name}, set {self.parent.name}", self.clock,
                     self.params["lease_takeover"])

    def converge(self):
        """As every run; a removal without anything left to do takes a dead run's lease along."""
        result, lease = super().converge(), self.lease()
        done = not (self.present or result["changed"] or self.module.check_mode)
        if done and lease.store.read()[0] is not None:
            self.api.read_only = False
            with contextlib.suppress(Held):
                lease.take()
                lease.release()
        return result

    def ended(self, current, outcomes):
        """The parent names no kind that has no members any more."""
        live = current.lives.get(self.parent.key)
        if not self.present or not live or any(o.state != "done" for o in outcomes.values()):
            return
        left = [c.resource for c in current.left_over]
        kinds = {*self.parent.kinds, *(r.listed_as for r in left)}
        spaces = {*self.parent.namespaces, *(c.live["metadata"].get("namespace", "")
                                             for c in current.left_over)}
        found = next(iter(self.scan().of(Parent).items), None)
        if found and set(found["kinds"]) - kinds:
            self.parent.write(self.api, kinds, spaces)

    def facts(self, current):
        told = dict(super().facts(current), applyset=self.parent.id)
        for row, change in zip(told["plan"], current.changes):
            row["owners"] = (change.live or {}).get("owners") or {}
        return told
