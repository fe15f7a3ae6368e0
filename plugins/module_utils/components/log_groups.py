# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""log_groups: log groups in CloudWatch, with the days that events are kept."""
from __future__ import annotations

import re

from ..types.logs import LogGroup

GROUP = dict(
    name=dict(type="str"),
    retention_in_days=dict(type="int", default=30),
    kms_key=dict(type="str"),
    log_group_class=dict(type="str", choices=["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"]),
    tags=dict(type="dict", default={}),
)
SPEC = dict(groups=dict(type="dict", default={}))
NAMED = {"groups": GROUP}
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557,
        2922, 3288, 3653)


def build(options: dict, stack) -> list:
    """One log group for each name."""
    problems, found = [], []
    for name, given in options["groups"].items():
        days, own = given["retention_in_days"], given["name"] or f"/{stack.id}/{name}"
        if not re.fullmatch(r"[.\-_/#A-Za-z0-9]{1,512}", own):
            problems.append(f"groups.{name}.name: {own} has other characters than letters, digits "
                            "and . - _ / #")
        found.append(LogGroup(
            key=f"log_groups/log_group/{name}", name=own, tags=dict(given["tags"]),
            retention_in_days=days or None, log_group_class=given["log_group_class"],
            kms_key=stack.kms_key(given["kms_key"]) if given["kms_key"] else None))
    if problems:
        raise ValueError("\n".join(problems))
    return found
