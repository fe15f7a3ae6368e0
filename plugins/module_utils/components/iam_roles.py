# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""iam_roles: own policies, and roles for services and for service accounts of the cluster."""
from __future__ import annotations

import difflib
import re

from ..types.eks import Cluster, PodIdentityAssociation
from ..types.iam import (
    InstanceProfile, ManagedPolicy, OidcProvider, Role, RolePolicy, RolePolicyAttachment, home,
)
from ..types.policies import document, text
from .controllers import CONTROLLERS
from .permissions import (
    checked_statements, cluster_name, irsa_trust, managed_policy, pod_identity_statement,
    service_statement,
)

STATEMENTS = dict(type="list", elements="dict", required=True)
POLICY = dict(
    policy_name=dict(type="str"),
    description=dict(type="str"),
    statements=STATEMENTS,
    tags=dict(type="dict", default={}),
)
INLINE = dict(statements=STATEMENTS)
ROLE = dict(
    role_name=dict(type="str"),
    description=dict(type="str"),
    path=dict(type="str"),
    trusted_services=dict(type="list", elements="str", default=[]),
    service_accounts=dict(type="list", elements="dict", default=[], options=dict(
        namespace=dict(type="str", required=True),
        service_account=dict(type="str", required=True))),
    service_account_identity=dict(type="str", default="irsa", choices=["irsa", "pod_identity"]),
    controller=dict(type="str", choices=list(CONTROLLERS)),
    trust_statements=dict(type="list", elements="dict", default=[]),
    managed_policies=dict(type="list", elements="str", default=[]),
    inline_policies=dict(type="dict", default={}),
    permissions_boundary=dict(type="str"),
    instance_profile=dict(type="bool", default=False),
    tags=dict(type="dict", default={}),
)
SPEC = dict(
    cluster_name=dict(type="str"),
    path=dict(type="str"),
    permissions_boundary=dict(type="str"),
    policies=dict(type="dict", default={}),
    roles=dict(type="dict", default={}),
)
NAMED = {"policies": POLICY, "roles": (ROLE, {"inline_policies": INLINE})}
# Characters without white space, and of names:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MOST = {"managed": 6144, "inline": 10240, "trust": 2048, "role_name": 64, "policy_name": 128}


def build(options: dict, stack) -> list:
    """Policies first, then roles with what hangs on them."""
    problems = []
    path = options["path"] or home(stack.id)
    if not re.fullmatch(r"/([!-~]+/)?", path):
        problems.append(f"path: {path} must begin and end with /")
    policies = {name: _policy(name, given, path, stack, problems)
                for name, given in options["policies"].items()}
    found = list(policies.values())
    for name, given in options["roles"].items():
        made = Builder(name, dict(given, path=given["path"] or path), options, stack, problems)
        found += made.resources(policies)
    if problems:
        raise ValueError("\n".join(problems))
    return found


def _policy(name: str, given: dict, path: str, stack, problems: list) -> ManagedPolicy:
    where = f"policies.{name}"
    statements = checked_statements(f"{where}.statements", given["statements"], stack, problems)
    policy = ManagedPolicy(
        key=f"iam_roles/managed_policy/{name}", path=path, description=given["description"],
        policy_name=given["policy_name"] or stack.name("policy", name),
        policy_document=document(statements), tags=dict(given["tags"]))
    _check_name(f"{where}.policy_name", policy.policy_name, "policy_name", problems)
    _check_size(where, "managed", [policy.policy_document], problems)
    return policy


def _check_name(where: str, name: str, kind: str, problems: list) -> None:
    if not re.fullmatch(r"[\w+=,.@-]+", name) or len(name) > MOST[kind]:
        problems.append(f"{where}: {name} must have up to {MOST[kind]} letters, digits and "
                        "+ = , . @ _ -")


def _check_size(where: str, kind: str, documents: list, problems: list) -> None:
    size = sum(len(re.sub(r"\s", "", text(d))) for d in documents)
    if size > MOST[kind]:
        problems.append(f"{where}: {size} characters, IAM takes {MOST[kind]} for {kind} policies; "
                        "put statements together, or into policies of their own")


class Builder:
    """One role: its trust, its policies, its instance profile."""

    def __init__(self, name: str, given: dict, options: dict, stack, problems: list):
        self.name, self.stack, self.problems = name, stack, problems
        self.where, self.boundary = f"roles.{name}", options["permissions_boundary"]
        self.cluster = cluster_name(options["cluster_name"], stack)
        self.controller = CONTROLLERS.get(given["controller"])
        self.given = {**given, "service_accounts": given["service_accounts"]
                      or ([self.controller.account] if self.controller else [])}

    def resources(self, policies: dict) -> list:
        """The role and all its members."""
        given, name = self.given, self.name
        boundary = given["permissions_boundary"] or self.boundary
        role = Role(
            key=f"iam_roles/role/{name}", path=given["path"], description=given["description"],
            role_name=given["role_name"] or self.stack.name("role", name), trust=self.trust(),
            permissions_boundary=self.policy(boundary, policies) if boundary else "",
            tags=dict(given["tags"]))
        _check_name(f"{self.where}.role_name", role.role_name, "role_name", self.problems)
        attachments = [RolePolicyAttachment(
            key=f"iam_roles/role_policy_attachment/{name}-{policy.split('/')[-1]}", role=role,
            policy=self.policy(policy, policies)) for policy in given["managed_policies"]]
        profile = [InstanceProfile(
            key=f"iam_roles/instance_profile/{name}", instance_profile_name=role.role_name,
            path=given["path"], role=role)] if given["instance_profile"] else []
        policies = [*attachments, *self.inline(role)]
        return [role, *policies, *profile, *self.associations(role, policies)]

    def policy(self, given: str, policies: dict):
        """A policy of this component by its name, else by ARN or as one of AWS's own."""
        if given in policies:
            return policies[given]
        close = difflib.get_close_matches(given, policies, 1, 0.8)
        if close:
            self.problems.append(f"{self.where}: there is no policy {given}; did you mean "
                                 f"{close[0]}?")
        return managed_policy(given, self.stack)

    def inline(self, role: Role) -> list:
        """Inline policies, that of a controller first."""
        found, given = [], {n: p["statements"] for n, p in self.given["inline_policies"].items()}
        if self.controller:
            given = {self.given["controller"]: self.controller.statements(self.cluster), **given}
        for name, statements in given.items():
            where = f"{self.where}.inline_policies.{name}.statements"
            found.append(RolePolicy(
                key=f"iam_roles/role_policy/{self.name}-{name}", role=role, policy_name=name,
                policy_document=document(checked_statements(where, statements, self.stack,
                                                            self.problems))))
        _check_size(f"{self.where}.inline_policies", "inline",
                    [policy.policy_document for policy in found], self.problems)
        return found

    def associations(self, role: Role, policies: list) -> list:
        """What gives the role to service accounts where EKS Pod Identity does that."""
        if self.given["service_account_identity"] != "pod_identity":
            return []
        cluster = self.stack.use(Cluster, "eks_cluster/cluster/main")
        return [PodIdentityAssociation(
            key=f"iam_roles/pod_identity_association/{'-'.join([self.name, *account.values()])}",
            cluster=cluster, role=role, policies=policies, **account)
            for account in self.given["service_accounts"]]

    def trust(self):
        """Who may assume the role; known only with the OIDC provider where IRSA is wanted."""
        given = self.given
        accounts, irsa = given["service_accounts"], given["service_account_identity"] == "irsa"
        statements = [service_statement(given["trusted_services"])] \
            if given["trusted_services"] else []
        statements += checked_statements(f"{self.where}.trust_statements",
                                         given["trust_statements"], self.stack, self.problems,
                                         principal=True)
        if accounts and not irsa:
            statements.append(pod_identity_statement(self.cluster, accounts, self.stack))
        if not statements and not accounts:
            self.problems.append(f"{self.where}: nobody may assume it; give trusted_services, "
                                 "service_accounts or trust_statements")
        _check_size(self.where, "trust", [document(statements)], self.problems)
        if accounts and irsa:
            provider = self.stack.use(OidcProvider, "eks_cluster/oidc_provider/main")
            return irsa_trust(provider, accounts, statements)
        return document(statements)
