# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All components, in the order in which a person would think of them."""
from __future__ import annotations

from . import ecr_repositories, network, s3_buckets

COMPONENTS = {
    "network": network,
    "s3_buckets": s3_buckets,
    "ecr_repositories": ecr_repositories,
}
