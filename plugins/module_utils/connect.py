# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AWS by the options of a module, and whether it is the stack's account."""
from __future__ import annotations

try:
    import boto3
except ImportError:  # who connects has reported it
    boto3 = None

from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info

from .clients.aws import Aws
from .clients.errors import boto
from .clients.models import quicken
from .engine.errors import Refused
from .engine.wait import Clock


def connect(module, clock: Clock) -> Aws:
    """AWS with the credentials, region and endpoint of a module's options."""
    region, endpoint, options = get_aws_connection_info(module)
    if not region:
        raise Refused(["region: no region given; set aws_region in the stack"])
    config = options.pop("aws_config", None)
    try:
        session = boto3.session.Session(
            profile_name=options.pop("profile_name", None),
            **{k: options.pop(k) for k in list(options) if k.startswith("aws_")})
        quicken(session)
    except boto.BotoCoreError as error:
        raise Refused([f"credentials: {error}"]) from None
    more = {"config": config} if config else {}
    return Aws(session, f"{module.params['product']}-{module.params['environment']}",
               clock=clock, region_name=region, endpoint_url=endpoint, **options, **more)


def guard_account(api: Aws, wanted: str | None) -> list[str]:
    """A problem when the caller's account is not the stack's."""
    if not wanted or api.account_id == wanted:
        return []
    return [f"account: the credentials belong to account {api.account_id}, stack {api.owner} to "
            f"{wanted} (aws_account_id)"]
