"""The engine alone: how fast it plans toys, and how near a run comes to its critical path."""
from __future__ import annotations

import json
import resource as usage
import statistics
import subprocess
import sys
import time

from ansible_collections.groundwork.aws.plugins.module_utils.engine.apply import Run
from ansible_collections.groundwork.aws.plugins.module_utils.engine.graph import remaining
from ansible_collections.groundwork.aws.plugins.module_utils.engine.plan import plan
from ansible_collections.groundwork.aws.plugins.module_utils.engine.scan import Scan
from tests.unit.engine import toys
from tests.unit.engine.toys import STACK, VirtualClock, World, made

SIZES = (2_500, 5_000, 10_000)


def stack(count: int) -> list:
    """Toys as in a network: to a net nine things that hang on it or on each other."""
    found = []
    for number in range(count // 10):
        net = made(toys.Net, f"bench/net/{number}", cidr=1, dns=True)
        disk = made(toys.Disk, f"bench/disk/{number}", size=1, format=1)
        hosts = [made(toys.Host, f"bench/host/{number}-{n}", net=net, disks=[disk], size=n)
                 for n in range(3)]
        found += [net, disk, *hosts,
                  *(made(toys.Rule, f"bench/rule/{number}-{n}", net=net, port=n, note=1)
                    for n in range(3)),
                  *(made(toys.Route, f"bench/route/{number}-{n}", net=net, dest=n,
                         target=hosts[n]) for n in range(2))]
    return found


def planned(count: int) -> dict:
    """Seconds of one plan on an empty world and of one where all is there, and memory in MB."""
    world, wanted = World(VirtualClock()), stack(count)
    begun = time.perf_counter()
    found = plan(wanted, Scan(world, STACK, wanted), toys.TYPES)
    empty = time.perf_counter() - begun
    assert len(found.steps) == len(wanted)
    ids = {}
    for item in wanted:  # what an apply would leave, without the time of the toy service
        fields = {meta.path: _plain(getattr(item, name), ids) for name, meta in item.attrs.items()
                  if getattr(item, name) is not None}
        ids[item.key] = world.put(item.kind, item.tags, **fields)
    begun = time.perf_counter()
    found = plan(wanted, Scan(world, STACK, wanted), toys.TYPES)
    nothing = time.perf_counter() - begun
    assert not found.steps
    memory = usage.getrusage(usage.RUSAGE_SELF).ru_maxrss / 1024
    return {"resources": len(wanted), "empty_s": empty, "nothing_to_do_s": nothing,
            "memory_mb": memory}


def _plain(value, ids: dict):
    if isinstance(value, toys.Resource):
        return ids[value.key]
    return [_plain(v, ids) for v in value] if isinstance(value, list) else value


def sizes(runs: int = 3) -> list[dict]:
    """The plans of all sizes, each run in a process of its own; medians and spread."""
    found = []
    for count in SIZES:
        several = [_apart(count) for _run in range(runs)]
        row = {name: statistics.median(r[name] for r in several) for name in several[0]}
        row["spread_s"] = max(r["nothing_to_do_s"] for r in several) - \
            min(r["nothing_to_do_s"] for r in several)
        found.append(row)
    return found


def _apart(count: int) -> dict:
    code = "import json; from tests.bench.engine import planned; " \
           f"print(json.dumps(planned({count})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def makespan(resources, api, clock, types=()) -> dict:
    """Builds all of it on a virtual clock: how long it takes, and how long it must take.

    `api` is an empty world that answers with its real durations on `clock`. The critical path is
    that of the durations which the steps really had.
    """
    found = plan(resources, Scan(api, STACK, resources), types)
    run, begun = Run(found, Scan(api, STACK, resources), clock), clock.now()
    outcomes = run.go()
    failed = {step: o.why for step, o in outcomes.items() if o.state != "done"}
    seconds = {step: o.seconds for step, o in outcomes.items()}
    took, least = clock.now() - begun, critical(found.after, seconds)
    return {"makespan_s": took, "critical_path_s": least, "ratio": took / least if least else 1.0,
            "failed": failed}


def critical(after: dict, seconds: dict) -> float:
    """Seconds of the longest chain of steps; `after`: step -> steps before it."""
    return max(remaining(after, seconds).values(), default=0)


def results() -> dict:
    """Everything this file measures."""
    clock = VirtualClock()
    role = made(toys.Role, "bench/role/0", name="r")
    nets = [made(toys.Net, f"bench/net/{n}", cidr=1) for n in range(20)]
    clusters = [made(toys.Cluster, f"bench/cluster/{n}", name=f"c{n}", role=role, nets=nets[:2])
                for n in range(3)]
    nodes = [made(toys.Node, f"bench/node/{n}", cluster=clusters[n % 3], net=nets[n % 20])
             for n in range(12)]
    built = makespan([role, *nets, *clusters, *nodes], World(clock), clock, toys.TYPES)
    return {"plans": sizes(), "makespan": built}


if __name__ == "__main__":
    print(results())
