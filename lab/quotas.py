"""Quotas: what AWS allows per account and region, by data."""

import json
from pathlib import Path

from lab.errors import Refusal

QUOTAS = json.loads((Path(__file__).parent / "data" / "quotas.json").read_text())
QUOTAS.pop("_comment")


def value(lab, name):
    return lab.settings.quotas.get(name, QUOTAS[name]["value"])


def check(call, name, count):
    """Refuse the next one when `count` of them are already there."""
    if count >= value(call.lab, name):
        row = QUOTAS[name]
        raise Refusal(row["error"], row["message"])
