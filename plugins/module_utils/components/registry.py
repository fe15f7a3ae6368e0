# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All components, in the order in which a person would think of them."""
from __future__ import annotations

from . import (
    aurora_cluster, ecr_repositories, efs, eks_cluster, eks_nodegroups, elasticache, iam_roles,
    karpenter, kms_keys, log_groups, network, s3_buckets, secrets, security_groups,
)

COMPONENTS = {
    "network": network,
    "security_groups": security_groups,
    "iam_roles": iam_roles,
    "kms_keys": kms_keys,
    "eks_cluster": eks_cluster,
    "eks_nodegroups": eks_nodegroups,
    "secrets": secrets,
    "log_groups": log_groups,
    "karpenter": karpenter,
    "s3_buckets": s3_buckets,
    "ecr_repositories": ecr_repositories,
    "efs": efs,
    "aurora_cluster": aurora_cluster,
    "elasticache": elasticache,
}
