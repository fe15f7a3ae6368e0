# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IAM: https://docs.aws.amazon.com/IAM/latest/APIReference/."""
from __future__ import annotations

import json

from ..clients.tags import pairs
from ..engine.resource import attr, create_only, updates
from .declared import Declared

SLOW_MIRROR = (r"NoSuchEntity", r"MalformedPolicyDocument Invalid principal")


class Role(Declared):
    """A role; what it may do hangs on it as members."""

    role_name: str = create_only("RoleName")
    path: str = create_only("Path")
    trust: dict = attr("AssumeRolePolicyDocument")
    permissions_boundary: str = attr("PermissionsBoundary.PermissionsBoundaryArn",
                                     param="PermissionsBoundary")
    description: str = attr("", param="Description", initial=True)  # no bulk read tells it

    service, ref, tags_path = "iam", "RoleName", "Tags"
    identity = ("role_name",)
    delete_first = True
    deletes = ("delete_role", "RoleName")
    patience = SLOW_MIRROR  # a principal in the trust policy may be minutes old
    seconds = {"create": 10, "delete": 2}
    outputs = {"arn": "Arn", "name": "RoleName"}

    @classmethod
    def fetch(cls, scan):
        """All roles with policies, attachments and tags: one paged call for everything."""
        return scan.api.pages("iam", "get_account_authorization_details", "RoleDetailList",
                              Filter=["Role"], MaxItems=1000)

    def create(self, api):
        call = {**self.params(), "AssumeRolePolicyDocument": json.dumps(self.trust)}
        return api.iam.create_role(**call, **self.tagging())["Role"]

    @updates("trust")
    def change_trust(self, api, live):
        """Who may assume the role."""
        api.iam.update_assume_role_policy(RoleName=self.role_name,
                                          PolicyDocument=json.dumps(self.trust))

    @updates("permissions_boundary")
    def change_boundary(self, api, live):
        """The most that the role may ever do."""
        api.iam.put_role_permissions_boundary(RoleName=self.role_name,
                                              PermissionsBoundary=self.permissions_boundary)

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags."""
        api.iam.tag_role(RoleName=live["RoleName"], Tags=pairs(self.tags))


class RolePolicy(Declared):
    """An inline policy of a role."""

    role: Role = create_only("RoleName")
    policy_name: str = create_only("PolicyName")
    policy_document: dict = attr("PolicyDocument")

    service, identity, member_of = "iam", ("role", "policy_name"), "role"
    patience = SLOW_MIRROR

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
                                PolicyDocument=json.dumps(self.policy_document))

    def delete(self, api, live):
        api.iam.delete_role_policy(RoleName=live["RoleName"], PolicyName=live["PolicyName"])


class RolePolicyAttachment(Declared):
    """A managed policy on a role."""

    role: Role = create_only("RoleName")
    policy: str = create_only("PolicyArn")

    service, identity, member_of = "iam", ("role", "policy"), "role"
    creates = ("attach_role_policy", "")
    patience = SLOW_MIRROR

    @classmethod
    def fetch(cls, scan):
        return [{**policy, "RoleName": role["RoleName"]} for role in scan.of(Role).items
                for policy in role.get("AttachedManagedPolicies", ())]

    def delete(self, api, live):
        api.iam.detach_role_policy(RoleName=live["RoleName"], PolicyArn=live["PolicyArn"])
