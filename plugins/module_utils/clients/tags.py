# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tags in the forms that the APIs want."""
from __future__ import annotations


def pairs(tags: dict, key: str = "Key", value: str = "Value") -> list[dict]:
    """[{"Key": k, "Value": v}], without those that AWS reserves for itself or nobody wants."""
    return [{key: k, value: v} for k, v in sorted(tags.items())
            if not k.startswith("aws:") and v is not None]


def specification(kind: str, tags: dict) -> list[dict]:
    """TagSpecifications of an EC2 creation."""
    return [{"ResourceType": kind, "Tags": pairs(tags)}]
