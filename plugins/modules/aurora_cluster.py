#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.aurora_cluster."""
from __future__ import annotations

DOCUMENTATION = r"""
module: aurora_cluster
short_description: Aurora PostgreSQL Serverless v2 with writer and readers
version_added: 0.1.0
description:
  - Plans and converges one Aurora PostgreSQL cluster with its instances, subnet group, parameter
    groups and log groups. AWS makes and keeps the master password in Secrets Manager; the output
    C(master_user_secret_arn) of C(aurora_cluster/db_cluster/main) names the secret.
  - A cluster holds data. It is replaced or removed only when O(allow_data_loss) names it, or when
    O(deletion_protection) is switched off.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - groundwork.aws.stack
options:
  name:
    description: Identifier of the cluster. Default is the name of the stack with V(-aurora).
    type: str
  engine_version:
    description:
      - Version of Aurora PostgreSQL. Where AWS does not offer that minor version, the next later
        one on offer is taken (else the newest), within the major version. A major version alone,
        such as V(16), means the newest of it.
      - A newer minor version that runs is no difference. A later version is an upgrade, with an
        outage of minutes; going back to an older major version is refused.
    type: str
    required: true
  instances:
    description:
      - Name in the stack to options of the instance. Its key is C(aurora_cluster/db_instance/NAME).
      - C(availability_zone) is the full name of its zone. Default is AWS's choice.
      - C(promotion_tier) (integer, default V(1)) says whom a failover prefers, V(0) first. The
        lowest is made first and so becomes the writer; the others are made once it is available.
      - C(instance_class) (default V(db.serverless)) may also be provisioned, such as
        V(db.r6g.large). Another class restarts the instance.
      - C(auto_minor_version_upgrade) (boolean), C(preferred_maintenance_window) (UTC, such as
        V(sun:05:00-sun:06:00)), C(publicly_accessible) (boolean, default V(false)), C(name) (its
        identifier, default that of the cluster with the name in the stack) and C(tags).
    type: dict
    required: true
  serverless_v2_scaling:
    description: Capacity of each V(db.serverless) instance in ACU, about 2 GiB of memory each.
    type: dict
    default: {min_capacity: 0.5, max_capacity: 4}
    suboptions:
      min_capacity:
        description: Least capacity, in steps of 0.5. V(0) lets an idle instance pause.
        type: float
        default: 0.5
      max_capacity:
        description: Most capacity, 1 to 256 in steps of 0.5.
        type: float
        default: 4
      seconds_until_auto_pause:
        description: Idle time before a pause, 300 to 86400. AWS's default is 300.
        type: int
  subnets:
    description:
      - Names of subnets of M(groundwork.aws.network) such as V(private-a), or ids, in two zones at
        least. Default is all private ones.
    type: list
    elements: str
  security_groups:
    description:
      - Names of groups in M(groundwork.aws.security_groups), or ids. Without them the cluster gets
        a group of its own, which lets nothing out.
    type: list
    elements: str
  source_security_groups:
    description: Groups (names or ids) that its own group lets in.
    type: list
    elements: str
    default: []
  source_cidr_blocks:
    description: IPv4 ranges that its own group lets in.
    type: list
    elements: str
    default: []
  vpc_id:
    description: VPC of its own group. Default is that of M(groundwork.aws.network).
    type: str
  database_name:
    description: Database that is made with the cluster. AWS cannot change it.
    type: str
  master_username:
    description: Name of the master user. AWS cannot change it.
    type: str
    default: postgres
  master_user_secret_kms_key:
    description:
      - Key for the secret with the master password, the name of one in M(groundwork.aws.kms_keys)
        or an ARN. Default is the account's own for Secrets Manager. AWS cannot change it.
    type: str
  port:
    description: Port, 1150 to 65535. Another port restarts the instances.
    type: int
    default: 5432
  cluster_parameters:
    description:
      - Parameters of the whole cluster, name to value, in a parameter group of its own. Those not
        given have the engine's own values. Static parameters count from the next restart on.
    type: dict
    default: {}
  instance_parameters:
    description: The same for the instances.
    type: dict
    default: {}
  storage_type:
    description: V(aurora-iopt1) has no charge for I/O. Not set means AWS's default, V(aurora).
    type: str
    choices: [aurora, aurora-iopt1]
  storage_encrypted:
    description: Encrypt the storage. AWS cannot change it.
    type: bool
    default: true
  kms_key:
    description:
      - Key for the storage, the name of one in M(groundwork.aws.kms_keys) or an ARN. Default is the
        account's own for RDS. AWS cannot change it.
    type: str
  enable_iam_database_authentication:
    description: Let IAM identities log in with tokens.
    type: bool
  backup_retention_period:
    description:
      - Days that automatic backups are kept, 1 to 35. Within them the cluster can be restored to
        any second.
    type: int
    default: 7
  preferred_backup_window:
    description: Time of day in UTC, such as V(03:00-04:00). Default is AWS's choice.
    type: str
  preferred_maintenance_window:
    description: Time of the week in UTC, such as V(sun:05:00-sun:06:00). Default is AWS's choice.
    type: str
  copy_tags_to_snapshot:
    description: Give snapshots the tags of the cluster.
    type: bool
    default: true
  enable_performance_insights:
    description: Performance Insights for all instances.
    type: bool
  performance_insights_retention_period:
    description: Days that its data is kept, V(7) (AWS's default), V(731) or a multiple of 31.
    type: int
  database_insights_mode:
    description: >-
      V(advanced) needs Performance Insights with a retention of 465 days. Not set means AWS's
      default, V(standard).
    type: str
    choices: [standard, advanced]
  enabled_cloudwatch_logs_exports:
    description: Logs that go to CloudWatch Logs.
    type: list
    elements: str
    choices: [postgresql, instance, iam-db-auth-error]
  log_retention_in_days:
    description: >-
      How long they are kept there; the log groups are then made by the stack. Not set means for
      ever, in log groups that AWS makes.
    type: int
  deletion_protection:
    description: Keep the cluster when the stack is removed, and let AWS refuse its deletion.
    type: bool
    default: true
  skip_final_snapshot:
    description: Delete the cluster without a last snapshot.
    type: bool
    default: false
  restore_from:
    description: What a new cluster begins with. It matters at creation only.
    type: dict
    suboptions:
      snapshot:
        description: Name or ARN of a cluster snapshot.
        type: str
      cluster:
        description: Identifier of a cluster, of whose backups the state at O(restore_from.time) is
          taken.
        type: str
      time:
        description: Moment in UTC such as V(2026-01-31T12:00:00Z). Default is the latest possible.
        type: str
  tags:
    description: Further tags of the cluster.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: The database of pingvas, writer in one zone and reader in another
  groundwork.aws.aurora_cluster:
    product: pingvas
    environment: shared
    region: us-east-1
    engine_version: "15.4"
    database_name: pingvas
    instances:
      writer: {availability_zone: us-east-1a, promotion_tier: 0}
      reader: {availability_zone: us-east-1b}
    serverless_v2_scaling: {min_capacity: 0.5, max_capacity: 4}
    source_cidr_blocks: [10.0.0.0/16]
    enabled_cloudwatch_logs_exports: [postgresql]
    log_retention_in_days: 30

- name: A database that costs nothing but its storage while nobody uses it
  groundwork.aws.aurora_cluster:
    product: pingvas
    environment: test
    region: us-east-1
    engine_version: "16"
    instances: {only: {}}
    serverless_v2_scaling: {min_capacity: 0, max_capacity: 2, seconds_until_auto_pause: 600}
    deletion_protection: false
    skip_final_snapshot: true
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
  sample:
    aurora_cluster/db_cluster/main:
      endpoint: pingvas-shared-aurora.cluster-abcdefghijkl.us-east-1.rds.amazonaws.com
      port: 5432
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
  sample: {aurora_cluster/db_cluster/main: {state: done, why: "", seconds: 2.1}}
problems:
  description: The lines of C(msg), a problem each.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.groundwork.aws.plugins.module_utils.components import aurora_cluster
from ansible_collections.groundwork.aws.plugins.module_utils.run import component_module


def main():
    """Converges the cluster alone."""
    component_module("aurora_cluster", aurora_cluster)


if __name__ == "__main__":
    main()
