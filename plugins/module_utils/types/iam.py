# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IAM: https://docs.aws.amazon.com/IAM/latest/APIReference/."""
from __future__ import annotations

from ..clients.tags import pairs
from ..engine.errors import NotFound
from ..engine.resource import OWNER, Resource, attr, create_only, updates
from . import policies
from .declared import Declared, agrees, gathered, settled

SLOW_MIRROR = (r"NoSuchEntity", r"MalformedPolicyDocument Invalid principal")
# Versions that a policy keeps:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
VERSIONS = 5


def home(owner: str) -> str:
    """The path under which a stack's IAM objects live: what IAM lists by."""
    return f"/groundwork/{owner}/"


class Account(Resource):
    """Roles with all that hangs on them, and the account's own policies: nobody's own resource."""

    external = True

    @classmethod
    def fetch(cls, scan):
        """One paged call; it tells everything but the tags of policies and instance profiles."""
        return scan.api.pages("iam", "get_account_authorization_details",
                              "[RoleDetailList, Policies][][]",
                              Filter=["Role", "LocalManagedPolicy"], MaxItems=1000)

    @classmethod
    def told(cls, scan, name: str) -> list[dict]:
        """Those objects that have a member of this name."""
        return [item for item in scan.of(cls).items if name in item]


class ManagedPolicy(Declared):
    """A policy of our own, to be attached to roles or to bound them."""

    policy_name: str = create_only("PolicyName")
    path: str = create_only("Path")
    description: str = attr(param="Description")  # AWS never changes it
    policy_document: dict = attr("PolicyVersionList[?IsDefaultVersion].Document | [0]",
                                 same=policies.same)

    service, ref, identity, tags_path = "iam", "Arn", ("policy_name",), "Tags"
    delete_first = True
    patience = SLOW_MIRROR
    outputs = {"arn": "Arn", "name": "PolicyName"}
    tells = ("policy_name",)

    @classmethod
    def fetch(cls, scan):
        """All policies of the account with their documents; the tags of those that may be ours."""
        wanted, late = scan.named(cls), scan.api.tagged("iam:policy")

        def tagged(policy):
            name, arn = policy["PolicyName"], policy["Arn"]
            if name not in wanted and policy["Path"] != home(scan.owner):
                return policy
            tags = pairs(late[arn]) if agrees(wanted.get(name), late.get(arn)) else \
                scan.api.pages("iam", "list_policy_tags", "Tags", PolicyArn=arn)
            return {**policy, "Tags": tags}

        return scan.api.map(tagged, Account.told(scan, "PolicyName"))

    def create(self, api):
        call = {**self.params(), "PolicyDocument": policies.text(self.policy_document)}
        return api.iam.create_policy(**call, **self.tagging())["Policy"]

    @staticmethod
    def _others(api, live) -> list[str]:
        """Versions that are not in force, the oldest first."""
        found = api.pages("iam", "list_policy_versions", "Versions", PolicyArn=live["Arn"])
        return sorted((v["VersionId"] for v in found if not v["IsDefaultVersion"]),
                      key=lambda version: int(version[1:]))

    @updates("policy_document")
    def write_version(self, api, live):
        """A new version in force; the oldest goes when there is no room."""
        others = self._others(api, live)
        if len(others) >= VERSIONS - 1:
            api.iam.delete_policy_version(PolicyArn=live["Arn"], VersionId=others[0])
        api.iam.create_policy_version(PolicyArn=live["Arn"], SetAsDefault=True,
                                      PolicyDocument=policies.text(self.policy_document))

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags."""
        api.iam.tag_policy(PolicyArn=live["Arn"], Tags=pairs(self.tags))

    def delete(self, api, live):
        for version in self._others(api, live):
            api.iam.delete_policy_version(PolicyArn=live["Arn"], VersionId=version)
        api.iam.delete_policy(PolicyArn=live["Arn"])


def _boundary(wanted: str, live: dict) -> str:
    """Where none is wanted, a policy of the role's own stack goes, and one of others stays."""
    have, owner = Role.read("permissions_boundary", live) or "", Role.tags_of(live).get(OWNER)
    return wanted if wanted or f":policy{home(owner)}" in have else have


class Role(Declared):
    """A role; what it may do hangs on it as members."""

    role_name: str = create_only("RoleName")
    path: str = create_only("Path")
    trust: dict = attr("AssumeRolePolicyDocument", same=policies.same)
    permissions_boundary: ManagedPolicy | str = attr("PermissionsBoundary.PermissionsBoundaryArn",
                                                     default="", of="Arn", want=_boundary)
    description: str = attr(param="Description")  # no bulk read tells it

    service, ref, tags_path = "iam", "RoleName", "Tags"
    identity = ("role_name",)
    delete_first = True
    deletes = ("delete_role", "RoleName")
    patience = SLOW_MIRROR  # a principal in the trust policy may be minutes old
    seconds = {"create": 10, "delete": 2}
    outputs = {"arn": "Arn", "name": "RoleName"}
    tells = ("role_name",)

    @classmethod
    def fetch(cls, scan):
        """All roles with policies, attachments and tags."""
        return Account.told(scan, "RoleName")

    def create(self, api):
        call = {**self.params(), "AssumeRolePolicyDocument": policies.text(self.trust)}
        if self.permissions_boundary:
            call["PermissionsBoundary"] = self.permissions_boundary
        return api.iam.create_role(**call, **self.tagging())["Role"]

    @updates("trust")
    def change_trust(self, api, live):
        """Who may assume the role."""
        api.iam.update_assume_role_policy(RoleName=self.role_name,
                                          PolicyDocument=policies.text(self.trust))

    @updates("permissions_boundary")
    def change_boundary(self, api, live):
        """The most that the role may ever do."""
        if self.permissions_boundary:
            api.iam.put_role_permissions_boundary(RoleName=self.role_name,
                                                  PermissionsBoundary=self.permissions_boundary)
        else:
            api.iam.delete_role_permissions_boundary(RoleName=self.role_name)

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags."""
        api.iam.tag_role(RoleName=live["RoleName"], Tags=pairs(self.tags))


class RolePolicy(Declared):
    """An inline policy of a role."""

    role: Role = create_only("RoleName")
    policy_name: str = create_only("PolicyName")
    policy_document: dict = attr("PolicyDocument", same=policies.same)

    service, identity, member_of = "iam", ("role", "policy_name"), "role"
    patience = SLOW_MIRROR
    tells = ()

    @classmethod
    def fetch(cls, scan):
        return [{**policy, "RoleName": role["RoleName"]} for role in scan.of(Role).items
                for policy in role.get("RolePolicyList", ())]

    def create(self, api):
        self.put(api, {})

    @updates("policy_document")
    def put(self, api, live):
        """Writes the policy, whether it is there or not."""
        api.iam.put_role_policy(RoleName=self.role, PolicyName=self.policy_name,
                                PolicyDocument=policies.text(self.policy_document))

    def delete(self, api, live):
        api.iam.delete_role_policy(RoleName=live["RoleName"], PolicyName=live["PolicyName"])


class RolePolicyAttachment(Declared):
    """A managed policy on a role."""

    role: Role = create_only("RoleName")
    policy: ManagedPolicy | str = create_only("PolicyArn", of="Arn")

    service, identity, member_of = "iam", ("role", "policy"), "role"
    creates = ("attach_role_policy", "")
    patience = SLOW_MIRROR

    @classmethod
    def fetch(cls, scan):
        return [{**policy, "RoleName": role["RoleName"]} for role in scan.of(Role).items
                for policy in role.get("AttachedManagedPolicies", ())]

    def delete(self, api, live):
        api.iam.detach_role_policy(RoleName=live["RoleName"], PolicyArn=live["PolicyArn"])


class InstanceProfile(Declared):
    """What an instance gets its role by; it holds one."""

    instance_profile_name: str = create_only("InstanceProfileName")
    path: str = create_only("Path")
    role: Role = attr("Roles[0].RoleName", later=True)

    service, ref, tags_path = "iam", "InstanceProfileName", "Tags"
    identity = ("instance_profile_name",)
    creates = ("create_instance_profile", "InstanceProfile")
    delete_first = True
    patience = SLOW_MIRROR
    seconds = {"create": 8, "delete": 2}  # until an instance can use it
    outputs = {"arn": "Arn", "name": "InstanceProfileName"}
    tells = ("instance_profile_name",)

    @classmethod
    def fetch(cls, scan):
        """Profiles with a role, their tags by the tagging API; unless these are all, those under
        the stack's path and those wanted: no list tells their tags."""
        api, late = scan.api, scan.api.tagged("iam:instance-profile")
        late = {arn.split("/")[-1]: tags for arn, tags in late.items()}
        held = [p for role in scan.of(Role).items for p in role.get("InstanceProfileList", ())]
        found = {p["InstanceProfileName"]: {**p, "Tags": pairs(late[p["InstanceProfileName"]])}
                 for p in held if p["InstanceProfileName"] in late}
        if settled(cls, scan, found, late):
            return found.values()
        names = api.pages("iam", "list_instance_profiles", "InstanceProfiles[].InstanceProfileName",
                          PathPrefix=home(scan.owner))
        found = api.map(lambda name: cls._read(api, name), sorted({*names, *scan.named(cls)}))
        return [profile for profile in found if profile]

    @staticmethod
    def _read(api, name: str) -> dict | None:
        try:
            return api.iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        except NotFound:
            return None

    def _empty(self, api, name: str, keep: str | None) -> bool:
        """Takes roles out; whether the one to keep is in. Reads first: it may be a repetition."""
        roles = [r["RoleName"] for r in (self._read(api, name) or {}).get("Roles", ())]
        for role in roles:
            if role != keep:
                api.iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role)
        return keep in roles

    @updates("role")
    def fill(self, api, live):
        """Puts the role in, and another one out."""
        name = live["InstanceProfileName"]
        if not self._empty(api, name, self.role):
            api.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=self.role)

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags."""
        api.iam.tag_instance_profile(InstanceProfileName=live["InstanceProfileName"],
                                     Tags=pairs(self.tags))

    def delete(self, api, live):
        self._empty(api, live["InstanceProfileName"], None)
        api.iam.delete_instance_profile(InstanceProfileName=live["InstanceProfileName"])


class OidcProvider(Declared):
    """What lets service accounts of a cluster assume roles (IRSA). IAM finds the thumbprint."""

    url: str = create_only("Url", read=lambda url: f"https://{url.removeprefix('https://')}")
    client_id_list: list = attr("ClientIDList")

    service, ref, identity, tags_path = "iam", "Arn", ("url",), "Tags"
    deletes = ("delete_open_id_connect_provider", "OpenIDConnectProviderArn")
    delete_first = True
    outputs = {"arn": "Arn", "url": "Url"}

    @classmethod
    def fetch(cls, scan):
        """The providers of EKS clusters of the region: a call for each, no list tells more."""
        api, mark = scan.api, f"oidc.eks.{scan.api.region}."

        def read(arn):
            try:
                found = api.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
            except NotFound:  # removed since it was listed
                return None
            return {**found, "Arn": arn}

        def listed():
            arns = api.pages("iam", "list_open_id_connect_providers",
                             "OpenIDConnectProviderList[].Arn")
            return [arn for arn in arns if mark in arn]

        late = api.tagged("iam:oidc-provider")
        return gathered(cls, scan, {a: t for a, t in late.items() if mark in a}, read, listed)

    def create(self, api):
        answer = api.iam.create_open_id_connect_provider(**self.params(), **self.tagging())
        return {"Arn": answer["OpenIDConnectProviderArn"], "Url": self.url}

    @updates("client_id_list")
    def admit(self, api, live):
        """Adds and removes audiences."""
        wanted, have = set(self.client_id_list), set(live.get("ClientIDList", ()))
        for client in sorted(wanted - have):
            api.iam.add_client_id_to_open_id_connect_provider(
                OpenIDConnectProviderArn=live["Arn"], ClientID=client)
        for client in sorted(have - wanted):
            api.iam.remove_client_id_from_open_id_connect_provider(
                OpenIDConnectProviderArn=live["Arn"], ClientID=client)

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags."""
        api.iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=live["Arn"],
                                             Tags=pairs(self.tags))
