# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the installed botocore knows of an API without asking it."""
from __future__ import annotations

import functools

try:
    from botocore.loaders import create_loader
except ImportError:  # run.py reports the missing library
    create_loader = None


@functools.lru_cache(maxsize=None)
def accepted(service: str, shape: str) -> list[str]:
    """The values that a parameter of an API takes, by the name of its shape in the model."""
    model = create_loader().load_service_model(service, "service-2")
    return list(model["shapes"][shape]["enum"])
