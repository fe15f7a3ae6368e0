# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A whole stack built with AWS's real durations and limits, on a clock that nobody waits for."""
from __future__ import annotations

import threading
from unittest.mock import patch

from ansible_collections.groundwork.aws.plugins.module_utils import session
from lab.timing import DURATIONS

from tests import world
from tests.unit.engine.toys import ThreadedClock

from .engine import critical
from .measure import Failed
from .stage import STACK
from .table import Row, at_most

LATENCY = 50  # ms that each call takes
LIMIT = 1.05
# Type -> what the lab calls the time that AWS takes to make one; all others take none.
SLOW = {
    "NatGateway": "ec2.nat_gateway", "Cluster": "eks.cluster", "Nodegroup": "eks.nodegroup",
    "Addon": "eks.addon", "DbCluster": "rds.cluster", "DbInstance": "rds.instance",
    "CacheCluster": "elasticache.cache_cluster", "FileSystem": "efs.file_system",
    "ReplicationGroup": "elasticache.replication_group", "MountTarget": "efs.mount_target",
    "AccessPoint": "efs.access_point",
}


class Clock(ThreadedClock):
    """Worker threads sleep together; whoever sleeps before or beside them moves the time alone."""

    def __init__(self):
        super().__init__()
        self._own = threading.local()

    def sleep(self, seconds: float) -> None:
        if getattr(self._own, "worker", False):
            super().sleep(seconds)
            return
        with self._changed:
            self._now += seconds
            self._changed.notify_all()

    def pool(self, width: int):
        found = super().pool(width)
        found._initializer = lambda: setattr(self._own, "worker", True)
        return found


class Recorded(session.Run):
    """Keeps the plan that is carried out."""

    plans = []

    def __init__(self, plan, *arguments, **more):
        self.plans.append(plan)
        super().__init__(plan, *arguments, **more)


def least(change) -> float:
    """Seconds that AWS takes for it, however it is asked."""
    resource = change.resource
    if getattr(resource, "vpc_endpoint_type", None) == "Interface":
        return DURATIONS["ec2.vpc_endpoint.create"]
    name = SLOW.get(type(resource).__name__)
    return DURATIONS[f"{name}.create"] if name else 0


def count_refusals(lab) -> list:
    """The calls that the published limits refuse, from now on."""
    refused, take = [], lab.buckets.take

    def counted(call):
        passed = take(call)
        if not passed:
            refused.append(call.name)
        return passed

    lab.buckets.take = counted
    return refused


def makespan(_stage):
    """pingvas-shared with AWS's durations and published limits, on a virtual clock."""
    clock, place = Clock(), world.World(time_scale=1, throttle=True, latency_ms=LATENCY)
    place.lab.clock, place.lab.sleep = clock.now, clock.sleep
    refused = count_refusals(place.lab)
    Recorded.plans.clear()
    begun = clock.now()
    with patch.object(place, "clock", lambda: clock), patch.object(session, "Run", Recorded):
        result = place.run(world.stack(STACK))
    if result["failed"]:
        raise Failed(f"{STACK}: {result['msg']}")
    seconds, plan = clock.now() - begun, Recorded.plans[-1]
    path = critical(plan.after, {c.step: least(c) for c in plan.steps})
    title = f"{STACK} ({len(plan.steps)} resources) with AWS's durations"
    slowest = sorted(((o["seconds"], s) for s, o in result["outcomes"].items()), reverse=True)[:5]
    yield Row(title, f"{seconds:.0f} s", f"critical path {path:.0f} s", f"{seconds / path:.3f}x",
              f"at most {LIMIT:g} x the critical path", seconds <= LIMIT * path,
              {"seconds": seconds, "path": path, "slowest": slowest})
    yield at_most(f"{title}: calls refused for their rate", len(refused), 0, "calls",
                  refused=refused)
