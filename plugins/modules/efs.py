#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.efs."""
from __future__ import annotations

DOCUMENTATION = r"""
module: efs
short_description: File systems with mount targets and access points
version_added: 0.1.0
description:
  - Plans and converges the EFS file systems of a stack, with a mount target in each zone.
  - A file system holds data. It is replaced or removed only when O(allow_data_loss) names it, or
    when its option C(deletion_protection) is switched off.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - groundwork.aws.stack
options:
  file_systems:
    description:
      - Name in the stack to options of the file system. Its key is C(efs/file_system/NAME).
      - C(encrypted) (boolean, default V(true)), C(kms_key) (name of a key in
        M(groundwork.aws.kms_keys), or an ARN; default is the account's own for EFS) and
        C(performance_mode) (V(generalPurpose), AWS's default, or V(maxIO)) can only be changed by
        a replacement.
      - C(throughput_mode) is V(bursting) (AWS's default), V(elastic) or V(provisioned); the last
        needs C(provisioned_throughput_in_mibps) (number). AWS allows another mode, or less, once
        in 24 hours.
      - C(lifecycle) (dictionary) has C(transition_to_ia) and C(transition_to_archive) (such as
        V(AFTER_30_DAYS)) and C(transition_to_primary_storage_class) (V(AFTER_1_ACCESS)). What is
        not given does not take place.
      - C(backup_policy) is V(ENABLED) (daily, by AWS Backup's own plan) or V(DISABLED). Not set
        means left as it is, which is off for a new file system.
      - C(mount_targets) (dictionary) has C(subnets), names of subnets of
        M(groundwork.aws.network) such as V(private-a), one for each zone. Default is all private
        ones; where the network is not part of the same call they must be named.
        C(security_groups) are names of groups in M(groundwork.aws.security_groups), or ids.
        Without them the mount targets get a group of their own, which lets NFS in from
        C(source_security_groups) (names or ids) and C(source_cidr_blocks).
      - C(access_points) (dictionary) is name to access point, with C(posix_user) (C(uid), C(gid),
        C(secondary_gids)), C(root_directory) (C(path), default V(/), and C(creation_info) with
        C(owner_uid), C(owner_gid) and C(permissions) such as V(0755)) and C(tags). AWS cannot
        change an access point, it is replaced.
      - C(tls_only) (boolean, default V(true)) lets every client in that reaches a mount target
        with TLS, and no other. C(policy_statements) (list of dictionaries) are further statements
        of the file system policy, with C({account_id}), C({region}), C({partition}) and
        C({stack}) put in.
      - C(deletion_protection) (boolean, default V(true)) keeps the file system when the stack is
        removed, until O(allow_data_loss) names it.
      - C(tags) (dictionary) are further tags.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: The models of pingvas, shared by all zones
  groundwork.aws.efs:
    product: pingvas
    environment: shared
    region: us-east-1
    file_systems:
      models:
        lifecycle: {transition_to_ia: AFTER_30_DAYS}
        backup_policy: ENABLED
        mount_targets:
          subnets: [private-a, private-b, private-c]
          source_cidr_blocks: [10.0.0.0/16]
        access_points:
          sdxl:
            posix_user: {uid: 1000, gid: 1000}
            root_directory:
              path: /sdxl
              creation_info: {owner_uid: 1000, owner_gid: 1000, permissions: "0755"}
"""

RETURN = r"""
stack:
  description: Name of the stack.
  returned: whenever a plan could be made
  type: str
  sample: sentineltranslate-dev
plan:
  description: What the run does, or in check mode would do, in the order of the graph.
  returned: whenever a plan could be made
  type: list
  elements: dict
  contains:
    key: {description: "Key of the object, C(component/type/name).", type: str}
    type: {description: Type of the object., type: str}
    action: {description: "One of create, update, replace, delete, keep.", type: str}
    impact:
      description: "One of none, in place, rolling, replace, downtime, data loss."
      type: str
    expected_seconds: {description: How long AWS usually takes., type: int}
    before: {description: Live values of what changes., type: dict}
    after: {description: Wanted values of what changes., type: dict}
    unknown: {description: Fields that only the apply can tell., type: list, elements: str}
    reason: {description: Why an object that nobody changed is replaced or deleted., type: str}
    about: {description: "What is to be made, or how it is called that goes.", type: str}
summary:
  description: Number of objects per action.
  returned: whenever a plan could be made
  type: dict
  sample: {create: 45, update: 0, replace: 0, delete: 0, keep: 0}
left_over:
  description: Keys of objects that carry the stack's tags and are no longer wanted.
  returned: whenever a plan could be made
  type: list
  elements: str
outputs:
  description: What is worth knowing of each object, by key.
  returned: whenever a plan could be made
  type: dict
  sample: {"efs/file_system/models": {id: fs-0a1b2c3d4e5f67890}}
tags:
  description:
    - Tags of everything that belongs to the stack, for what controllers in its cluster make. Those
      of the stack, C(Project) and C(Environment).
  returned: whenever a plan could be made
  type: dict
  sample: {Project: sentineltranslate, Environment: dev, Owner: platform-team}
findings:
  description: What the validator found that did not stop the run.
  returned: whenever a plan could be made
  type: list
  elements: dict
  contains:
    id: {description: Id of the finding., type: str}
    severity: {description: "V(error) when it is waived, else V(warning).", type: str}
    path: {description: Place in the options., type: str}
    message: {description: What is wrong., type: str}
    replacement: {description: What to write instead., type: str}
    waived: {description: Whether the stack waives it., type: bool}
calls:
  description: API calls of the run.
  returned: whenever a plan could be made
  type: dict
  sample: {reads: 12, writes: 0}
expected_seconds:
  description: How long the whole run usually takes.
  returned: whenever a plan could be made
  type: int
outcomes:
  description:
    - What became of each change, by its step; empty in check mode. Each has C(state) (V(done),
      V(failed) or V(skipped)), C(why) and C(seconds).
  returned: whenever a plan could be made
  type: dict
  sample: {efs/file_system/models: {state: done, why: "", seconds: 2.1}}
problems:
  description: The lines of C(msg), a problem each.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.groundwork.aws.plugins.module_utils.components import efs
from ansible_collections.groundwork.aws.plugins.module_utils.run import component_module


def main():
    """Converges the file systems alone."""
    component_module("efs", efs)


if __name__ == "__main__":
    main()
