"""How much hypothesis tries: `ENGINE_PROFILE=thorough` for much more than every run does."""
from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

COMMON = dict(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
settings.register_profile("mutation", max_examples=60, derandomize=True, database=None, **COMMON)
settings.register_profile("ci", max_examples=120, derandomize=True, database=None, **COMMON)
MANY = int(os.environ.get("ENGINE_EXAMPLES", "3000"))
settings.register_profile("thorough", max_examples=MANY, **COMMON)
settings.load_profile(os.environ.get("ENGINE_PROFILE", "ci"))
