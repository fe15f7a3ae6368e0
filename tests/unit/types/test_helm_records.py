# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose a revision is that helm has not ended, and whether it may be taken away."""
from __future__ import annotations

import time

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.engine.errors import Busy
from ansible_collections.groundwork.aws.plugins.module_utils.types.helm_records import BEGUN, died


def record(number: int, status: str, begun: str = "", age: int = 10) -> dict:
    """`age` is that at the start of the test."""
    labels = {"name": "web", "version": str(number), "status": status, "age": age}
    return {"metadata": {"labels": {**labels, **({BEGUN: begun} if begun else {})}}}


def dated(item: dict) -> dict:
    labels = item["metadata"]["labels"]
    return {"metadata": {"labels": {**labels, "createdAt": str(int(time.time()) - labels["age"])}}}


DEPLOYED = record(1, "deployed", "1")


@pytest.mark.parametrize(("records", "limit", "found"), [
    ([], 60, False),
    ([DEPLOYED], 60, False),
    ([DEPLOYED, record(2, "failed", "2")], 60, False),
    ([record(1, "pending-install", "1")], 60, True),
    ([DEPLOYED, record(2, "pending-upgrade", "2")], 60, True),
    ([DEPLOYED, record(2, "pending-upgrade", "1")], 60, Busy),  # our label, handed on by helm
    ([DEPLOYED, record(2, "pending-upgrade")], 60, Busy),
    ([DEPLOYED, record(2, "pending-upgrade", age=290)], 60, Busy),
    ([DEPLOYED, record(2, "pending-upgrade", age=310)], 60, True),
    ([DEPLOYED, record(2, "pending-upgrade", age=310)], 600, Busy),
    ([DEPLOYED, record(2, "failed", "2"), record(3, "pending-rollback", "1")], 60, True),
    ([DEPLOYED, record(2, "failed", "1"), record(3, "pending-rollback", "1")], 60, Busy),
    ([record(1, "uninstalling", "1")], 60, Busy),
    ([record(1, "uninstalling", "removal")], 60, True),
])
def test_whose_it_is(records, limit, found):
    records = [dated(item) for item in records]
    if found is Busy:
        with pytest.raises(Busy, match="web is being changed by somebody since .*; wait for"):
            died(records, limit)
    else:
        assert died(records, limit) is (records[-1] if found else None)
