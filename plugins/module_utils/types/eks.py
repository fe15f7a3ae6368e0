# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EKS clusters: https://docs.aws.amazon.com/eks/latest/APIReference/."""
from __future__ import annotations

import difflib
import json
import re

from ..engine.errors import NotFound, Refused
from ..engine.resource import OWNER, Fact, attr, create_only, equal, needs, search, updates
from .declared import Declared, gathered
from .ec2 import SecurityGroup, Subnet
from .iam import Role, RolePolicyAttachment
from .kms import Key
from .logs import LogGroup

MODES = ("CONFIG_MAP", "API_AND_CONFIG_MAP", "API")  # a cluster only ever moves to the right
LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
# A role that is seconds old is not known everywhere; messages as EKS words them.
SLOW_ROLE = (r"(?i)role\b.*does not exist", r"could not be assumed", r"Error in role params",
             r"trusted entity is not correct", r"have the Amazon EKS Managed Policies",
             r"IAM role's policy must include", r"principalArn is invalid",
             r"does not allow pods\.eks\.amazonaws\.com")
ISSUES = "health.issues && join('; ', health.issues[].join(': ', [code, message][?@]))"
STRANGE = 'tags."groundwork:stack" == null'  # made by EKS itself or by somebody else


def minor(version) -> tuple[int, ...]:
    """1.34 -> (1, 34); nothing for what is no Kubernetes version."""
    match = re.fullmatch(r"(\d+)\.(\d+)", str(version))
    return tuple(int(part) for part in match.groups()) if match else ()


def _version(wanted: str, live: str) -> bool:
    if minor(wanted) < minor(live):
        raise Refused([f"eks_cluster.version: the cluster runs {live}, EKS cannot go back to "
                       f"{wanted}; set version: '{live}' or newer"])
    return wanted == live


def _mode(wanted: str, live: str) -> bool:
    if MODES.index(wanted) < MODES.index(live):
        raise Refused([f"eks_cluster.authentication_mode: the cluster is at {live}, EKS cannot "
                       f"go back to {wanted}; set authentication_mode: {live}"])
    return wanted == live


def _encryption(wanted: str, live: str | None) -> bool:
    if live and wanted != live:
        raise Refused([f"eks_cluster.encryption_key: secrets are encrypted with {live} and EKS "
                       f"can neither change nor undo that; set encryption_key: {live}"])
    return (wanted or None) == live


def parsed(text: str):
    """A JSON text as what it means; what is not JSON stays a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def described(call):
    """What a call tells, or None when its object is not there (any more)."""
    try:
        return call()
    except NotFound:
        return None


class Eks(Declared):
    """An EKS object; a path like `scalingConfig.minSize` is also its place in the creation."""

    service = "eks"
    tags_path = "tags"
    arn = ""  # JMESPath of the ARN, which takes the tags

    @property
    def patience(self):
        """A role of the stack may be seconds old; one that is given by its ARN is there or not."""
        return SLOW_ROLE if any(Role in (type(n), getattr(n, "kind", None))
                                for n in needs(self)) else ()

    def params(self):
        found = {}
        for name, meta in self.attrs.items():
            value, path = getattr(self, name), meta.param or meta.path
            if value is not None and not meta.later and re.fullmatch(r"\w+(\.\w+)?", path):
                *way, last = path.split(".")
                place = found.setdefault(way[0], {}) if way else found
                place[last] = value
        return found

    def tagging(self):
        return {"tags": self.tags} if self.tags else {}

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags."""
        api.eks.tag_resource(resourceArn=search(self.arn, live), tags=self.tags)

    def explain(self, api, live):
        """The errors of its latest update, if that failed."""
        names = {n: live[n] for n in ("nodegroupName", "addonName") if n in live}
        name = live.get("clusterName", live.get("name"))
        ids = api.pages("eks", "list_updates", "updateIds", name=name, **names)
        found = api.map(lambda i: api.eks.describe_update(updateId=i, name=name, **names)["update"],
                        ids)
        latest = max(found, key=lambda u: u["createdAt"], default={})
        return "; ".join(f"{e['errorCode']}: {e['errorMessage']}" for e in latest.get("errors", ()))


class Cluster(Eks):
    """A control plane. It holds no data of its own (what runs in it is declared elsewhere), so it
    is not stateful; `deletion_protection` keeps it from being removed.
    """

    name: str = create_only("name")
    role: Role | str = create_only("roleArn", of="Arn")
    service_ipv4_cidr: str = create_only("kubernetesNetworkConfig.serviceIpv4Cidr")
    ip_family: str = create_only("kubernetesNetworkConfig.ipFamily")
    version: str = attr("version", same=_version, seconds=600)
    subnets: list[Subnet] = attr("resourcesVpcConfig.subnetIds", seconds=120)
    security_groups: list[SecurityGroup] = attr("resourcesVpcConfig.securityGroupIds", seconds=120)
    endpoint_public_access: bool = attr("resourcesVpcConfig.endpointPublicAccess", seconds=120)
    endpoint_private_access: bool = attr("resourcesVpcConfig.endpointPrivateAccess", seconds=120)
    public_access_cidrs: list = attr("resourcesVpcConfig.publicAccessCidrs", seconds=120)
    logging: list = attr("logging.clusterLogging[?enabled].types[]", seconds=120)
    encryption_key: Key | str = attr("encryptionConfig[0].provider.keyArn", of="Arn",
                                     same=_encryption, seconds=1200)
    authentication_mode: str = attr("accessConfig.authenticationMode", same=_mode, seconds=120)
    support_type: str = attr("upgradePolicy.supportType", seconds=120)
    zonal_shift: bool = attr("zonalShiftConfig.enabled", seconds=120)
    deletion_protection: bool = attr("deletionProtection", seconds=120)
    # Matter at creation only.
    bootstrap_cluster_creator_admin_permissions: bool = attr(
        param="accessConfig.bootstrapClusterCreatorAdminPermissions")
    bootstrap_self_managed_addons: bool = attr(param="bootstrapSelfManagedAddons")
    log_group: LogGroup = attr()  # else EKS makes it, without an end
    policies: list[RolePolicyAttachment] = attr()  # the role's: EKS asks for them at once

    ref, identity, arn = "name", ("name",), "arn"
    delete_first = True
    ready, failed = "status=='ACTIVE'", "status=='FAILED'"
    leaving, reason = "status=='DELETING'", ISSUES
    seconds = {"create": 617, "delete": 200}  # medians of public logs
    outputs = {"name": "name", "arn": "arn", "version": "version", "endpoint": "endpoint",
               "certificate_authority": "certificateAuthority.data", "status": "status",
               "oidc_issuer": "identity.oidc.issuer",
               "security_group": "resourcesVpcConfig.clusterSecurityGroupId"}
    tells = ("name", "version")

    @property
    def protected(self):
        return bool(self.deletion_protection)

    @classmethod
    def fetch(cls, scan):
        """Clusters by their wanted names and those that the tagging API knows; else by prefix."""
        api = scan.api
        names = {*scan.named(cls), *(arn.split("/")[-1] for arn in api.tagged("eks:cluster"))} or {
            name for name in api.pages("eks", "list_clusters", "clusters")
            if name.startswith(f"{scan.owner}-")}
        found = api.map(lambda name: described(
            lambda: api.eks.describe_cluster(name=name)["cluster"]), sorted(names))
        return [cluster for cluster in found if cluster]

    def create(self, api):
        call = self.params()
        if self.logging:
            call["logging"] = {"clusterLogging": [{"types": self.logging, "enabled": True}]}
        if self.encryption_key:
            call["encryptionConfig"] = self._encryption_config()
        return api.eks.create_cluster(**call, **self.tagging())["cluster"]

    def _encryption_config(self):
        return [{"resources": ["secrets"], "provider": {"keyArn": self.encryption_key}}]

    def _change(self, api, **part):
        """One call changes one part; while it lasts EKS refuses the next."""
        api.eks.update_cluster_config(name=self.name, **part)

    @updates("version")
    def upgrade(self, api, live):
        """To the next minor version on the way; the one after follows when that is done."""
        major, number = minor(live["version"])
        api.eks.update_cluster_version(name=self.name, version=f"{major}.{number + 1}")

    @updates("subnets", "security_groups")
    def move(self, api, live):
        """Where the control plane's interfaces are, and what is let in to them."""
        self._change(api, resourcesVpcConfig={
            "subnetIds": self.subnets or self.read("subnets", live),
            "securityGroupIds": self.security_groups or []})

    @updates("endpoint_public_access", "endpoint_private_access", "public_access_cidrs")
    def open(self, api, live):
        """From where the API server can be reached."""
        wanted = self.params()["resourcesVpcConfig"]
        self._change(api, resourcesVpcConfig={k: v for k, v in wanted.items() if "Access" in k})

    @updates("logging")
    def log(self, api, live):
        """Which logs go to CloudWatch."""
        have = self.read("logging", live) or []
        on = [t for t in self.logging if t not in have]
        off = [t for t in have if t not in self.logging]
        self._change(api, logging={"clusterLogging": [
            {"types": types, "enabled": types is on} for types in (on, off) if types]})

    @updates("encryption_key")
    def encrypt(self, api, live):
        """Envelope encryption of secrets, for good."""
        api.eks.associate_encryption_config(clusterName=self.name,
                                            encryptionConfig=self._encryption_config())

    @updates("authentication_mode")
    def authenticate(self, api, live):
        """One step towards access entries only."""
        step = MODES.index(live["accessConfig"]["authenticationMode"]) + 1
        self._change(api, accessConfig={"authenticationMode": MODES[step]})

    @updates("support_type")
    def support(self, api, live):
        """What happens when standard support of the version ends."""
        self._change(api, upgradePolicy={"supportType": self.support_type})

    @updates("zonal_shift")
    def shift(self, api, live):
        """Whether traffic may be moved away from a failing zone."""
        self._change(api, zonalShiftConfig={"enabled": self.zonal_shift})

    @updates("deletion_protection")
    def protect(self, api, live):
        """Whether EKS refuses to delete the cluster."""
        self._change(api, deletionProtection=self.deletion_protection)

    def delete(self, api, live):
        """Lifts the protection that the stack no longer wants; EKS is busy with that for a while,
        and the next attempt deletes."""
        if live.get("deletionProtection") and self.deletion_protection is not None:
            now = api.eks.describe_cluster(name=live["name"])["cluster"]
            if now["deletionProtection"]:
                self._change(api, deletionProtection=False)
        api.eks.delete_cluster(name=live["name"])


class Describing:
    """How `Child` reads: no list tells more than names, and each object takes a call."""

    @classmethod
    def fetch(cls, scan):
        """A call for each object, and a list for each cluster that may hold others."""
        clusters = [c["name"] for c in scan.of(Cluster).items if c["status"] != "CREATING"]
        method, param, path = cls.describes
        late = ((tuple(arn.split("/")[1:3]), tags) for arn, tags in
                (scan.api.tagged(cls.tagged_as) if cls.tagged_as else {}).items())

        def describe(pair):
            call = {"clusterName": pair[0], param: pair[1]}
            return described(lambda: getattr(scan.api.eks, method)(**call)[path])

        def listed():
            return [(name, member) for name in clusters for member in described(
                lambda cluster=name: scan.api.pages("eks", *cls.reads, clusterName=cluster)) or ()]

        known = {pair: tags for pair, tags in late if pair[0] in clusters}
        return gathered(cls, scan, known, describe, listed)


class Child(Describing, Eks):
    """What belongs to a cluster; `reads` lists the names."""

    describes = ()  # (method, parameter that takes a name, member of its answer)
    tagged_as = ""  # its type in the tagging API, where that may stand in for the list


class AddonVersion(Fact):
    """The version of an add-on that EKS offers for a Kubernetes version."""

    kubernetes_version: str = attr("kubernetesVersion")
    addon_name: str = attr("addonName")
    choice: str = attr("choice")  # default or latest

    identity = ("kubernetes_version", "addon_name", "choice")
    ref = "addonVersion"

    @classmethod
    def fetch(cls, scan):
        """One paged call for each Kubernetes version."""
        found = []
        for version in scan.named(cls):
            for addon in scan.api.pages("eks", "describe_addon_versions", "addons",
                                        kubernetesVersion=version):
                choices = cls._choices(addon["addonVersions"], version)
                found += [{"kubernetesVersion": version, "addonName": addon["addonName"],
                           "choice": choice, "addonVersion": name}
                          for choice, name in choices.items()]
        return found

    def find(self, scan):
        """The offered version; a name that EKS does not know, and nobody has, is refused."""
        found, name = super().find(scan), self.addon_name
        known = {i["addonName"] for i in scan.of(type(self)).items
                 if i["kubernetesVersion"] == self.kubernetes_version}
        if not found and known and name not in {i["addonName"] for i in scan.of(Addon).items}:
            close = difflib.get_close_matches(name, known, 1, 0.5)
            raise Refused([f"eks_cluster.addons.{name}: EKS offers no such add-on for Kubernetes "
                           f"{self.kubernetes_version}" + (
                               f"; did you mean {close[0]}?" if close else "")])
        return found

    @staticmethod
    def _choices(versions: list, kubernetes: str) -> dict:
        default = [v["addonVersion"] for v in versions for c in v["compatibilities"]
                   if c["clusterVersion"] == kubernetes and c.get("defaultVersion")]
        names = [v["addonVersion"] for v in versions]
        latest = max(names, key=lambda n: [int(part) for part in re.findall(r"\d+", n)])
        return {"latest": latest, "default": (default or [latest])[0]}


class PodIdentityAssociation(Child):
    """The role of a service account, given by the EKS Pod Identity agent."""

    cluster: Cluster = create_only("clusterName")
    namespace: str = create_only("namespace")
    service_account: str = create_only("serviceAccount")
    role: Role | str = attr("roleArn", of="Arn")
    policies: list[RolePolicyAttachment] = attr()  # a pod that starts may use its role at once

    ref, identity, arn = "associationId", ("cluster", "namespace", "service_account"), \
        "associationArn"
    member_of, ignore = "cluster", f"ownerArn || {STRANGE}"
    delete_first = True
    creates = ("create_pod_identity_association", "association")
    outputs = {"id": "associationId", "role": "roleArn"}
    reads = ("list_pod_identity_associations", "associations[].associationId")
    describes = ("describe_pod_identity_association", "associationId", "association")

    @updates("role")
    def assign(self, api, live):
        """Another role, for pods that start from now on."""
        api.eks.update_pod_identity_association(
            clusterName=live["clusterName"], associationId=live["associationId"],
            roleArn=self.role)

    def delete(self, api, live):
        api.eks.delete_pod_identity_association(clusterName=live["clusterName"],
                                                associationId=live["associationId"])


class Addon(Child):
    """An add-on. DEGRADED (no node has room for its pods) is a state to look at, not to wait in:
    a change is what may heal it. An update that failed may be tried again."""

    cluster: Cluster = create_only("clusterName")
    addon_name: str = create_only("addonName")
    addon_version: AddonVersion | str = attr("addonVersion", seconds=15)
    configuration_values: dict = attr("configurationValues", read=parsed, seconds=15)
    service_account_role: Role | str = attr("serviceAccountRoleArn", of="Arn", seconds=15)
    resolve_conflicts: str = attr(param="resolveConflicts")
    identities: list[PodIdentityAssociation] = attr()
    nodes: list = attr()  # node groups that its pods need

    ref, identity, arn = "addonArn", ("cluster", "addon_name"), "addonArn"
    delete_first = dies_with_parent = True
    creates = ("create_addon", "addon")
    ready = "status=='ACTIVE' || status=='DEGRADED' || status=='UPDATE_FAILED'"
    failed, leaving, reason = "status=='CREATE_FAILED'", "status=='DELETING'", ISSUES
    seconds = {"create": 15, "delete": 5}
    outputs = {"version": "addonVersion", "status": "status"}
    reads = ("list_addons", "addons")
    describes, tagged_as = ("describe_addon", "addonName", "addon"), "eks:addon"
    tells = ("addon_version",)

    def params(self):
        found = super().params()
        if self.configuration_values:
            found["configurationValues"] = json.dumps(self.configuration_values, sort_keys=True)
        else:
            found.pop("configurationValues", None)
        return found

    @updates("addon_version", "configuration_values", "service_account_role")
    def change(self, api, live):
        """Version, configuration and role in one call; what is left out stays as it is."""
        call = self.params()
        if self.configuration_values is not None and \
                not equal(self.configuration_values, self.read("configuration_values", live)):
            call["configurationValues"] = json.dumps(self.configuration_values, sort_keys=True)
        api.eks.update_addon(**call)

    def delete(self, api, live):
        api.eks.delete_addon(clusterName=live["clusterName"], addonName=live["addonName"])


class AccessEntry(Child):
    """A principal that the API server lets in. Those without our tags are left alone."""

    cluster: Cluster = create_only("clusterName")
    principal: Role | str = create_only("principalArn", of="Arn")
    entry_type: str = create_only("type")
    kubernetes_groups: list = attr("kubernetesGroups")
    username: str = attr("username")

    ref, identity, arn = "principalArn", ("cluster", "principal"), "accessEntryArn"
    member_of, ignore = "cluster", STRANGE
    delete_first = dies_with_parent = True
    creates = ("create_access_entry", "accessEntry")
    outputs = {"principal": "principalArn"}

    reads = ("list_access_entries", "accessEntries")
    describes = ("describe_access_entry", "principalArn", "accessEntry")

    @classmethod
    def fetch(cls, scan):
        modes = {c["accessConfig"]["authenticationMode"] for c in scan.of(Cluster).items}
        return [] if modes <= {"CONFIG_MAP"} else super().fetch(scan)

    @updates("kubernetes_groups", "username")
    def change(self, api, live):
        """Who the principal is inside the cluster."""
        names = {"kubernetesGroups": self.kubernetes_groups, "username": self.username}
        api.eks.update_access_entry(
            clusterName=live["clusterName"], principalArn=live["principalArn"],
            **{k: v for k, v in names.items() if v is not None})

    def delete(self, api, live):
        api.eks.delete_access_entry(clusterName=live["clusterName"],
                                    principalArn=live["principalArn"])


class AccessPolicy(Declared):
    """An access policy of EKS on an access entry, for the cluster or for namespaces."""

    cluster: Cluster = create_only("clusterName")
    entry: AccessEntry = create_only("principalArn")
    policy: str = create_only("policyArn")
    namespaces: list = attr("accessScope.namespaces")

    service, identity, member_of = "eks", ("entry", "policy"), "entry"
    dies_with_parent = True

    @classmethod
    def fetch(cls, scan):
        """A call for each entry that may have policies."""
        api = scan.api

        def policies(entry):
            ids = {n: entry[n] for n in ("clusterName", "principalArn")}
            found = described(lambda: api.pages("eks", "list_associated_access_policies",
                                                "associatedAccessPolicies", **ids))
            return [{**policy, **ids} for policy in found or ()]

        entries = [e for e in scan.of(AccessEntry).items if e["type"] == "STANDARD"
                   and (scan.asked(cls) or OWNER in e["tags"])]
        return [policy for found in api.map(policies, entries) for policy in found]

    def create(self, api):
        self.associate(api, {})

    @updates("namespaces")
    def associate(self, api, live):
        """Sets the policy with its scope, whether it is there or not."""
        scope = {"type": "namespace", "namespaces": self.namespaces} if self.namespaces \
            else {"type": "cluster"}
        api.eks.associate_access_policy(clusterName=self.cluster, principalArn=self.entry,
                                        policyArn=self.policy, accessScope=scope)

    def delete(self, api, live):
        api.eks.disassociate_access_policy(**{n: live[n] for n in (
            "clusterName", "principalArn", "policyArn")})
