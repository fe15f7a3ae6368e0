# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the calls of a plan are for; docs/decisions/calls_a_resource.md says why so many."""
from __future__ import annotations

import re

from .table import Row, at_most

LIMIT = 0.5  # calls a resource
# Operations that AWS takes for one object only, and what they read.
SINGLE = (
    (r"s3\.", "for parts of buckets"),
    (r"eks\.(?!DescribeAddonVersions)", "for clusters and what belongs to them"),
    (r"ecr\.GetLifecyclePolicy", "for lifecycle policies of repositories"),
    (r"events\.ListTargetsByRule", "for targets of rules"),
    (r"efs\.Describe(?!FileSystems)", "for parts of file systems"),
    (r"ec2\.DescribeVpcAttribute|sqs\.GetQueueAttributes|iam\.GetOpenIDConnectProvider",
     "for an attribute of a VPC, a queue and an OIDC provider"),
)


def shares(count: dict) -> dict[str, int]:
    """What is read object by object -> calls, of calls by their names."""
    found = {what: sum(n for name, n in count.items() if re.match(pattern, name))
             for pattern, what in SINGLE}
    return {what: n for what, n in found.items() if n}


def row(title: str, count: dict, resources: int) -> Row:
    """Calls a resource."""
    calls = sum(count.values())
    found = at_most(f"{title}: API calls a resource", calls / resources, LIMIT, "calls",
                    calls=calls, count=count)
    found.ours += f" ({calls} calls)"
    return found


def arithmetic(count: dict, resources: int) -> str:
    """Where the calls go, and what the limit would leave."""
    calls, single = sum(count.values()), shares(count)
    lists, most = calls - sum(single.values()), int(LIMIT * resources)
    parts = ", ".join(f"{n} {what}" for what, n in single.items())
    return (f"The {calls} calls for {resources} resources: {lists} lists, one or two for a type; "
            f"{calls - lists} of operations that AWS takes for one object only ({parts}). "
            f"{LIMIT:g} calls a resource are {most}, which leaves {most - lists} for those. "
            "What was tried: decisions/calls_a_resource.md.")
