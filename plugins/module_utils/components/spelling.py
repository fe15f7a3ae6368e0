# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options in the spelling of the APIs."""
from __future__ import annotations


def camel(name: str) -> str:
    """block_public_acls -> BlockPublicAcls."""
    return "".join(part.capitalize() for part in name.split("_"))


def as_aws(value):
    """Options in the API's own spelling, without those that are not set."""
    if isinstance(value, dict):
        return {camel(k): as_aws(v) for k, v in value.items() if v is not None}
    return [as_aws(v) for v in value] if isinstance(value, list) else value
