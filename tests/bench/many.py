# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many networks in one stack: calls, time and memory must grow linearly at most."""
from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.groundwork.aws.plugins.module_utils import run
from tests.world import REGION, Ended, Module, Quick

from .measure import ROOT, Command, Failed, largest_below
from .modules.bench_networks import components
from .stage import ACCOUNT, HERE, Stage
from .table import Row, above, at_most

SIZES = (6, 12, 24)
LINEAR = 1.15  # how much more than linear a growth may look on a busy machine
QUOTAS = ("vpcs", "internet_gateways", "nat_gateways", "elastic_ips")
ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]


def network(number: int) -> dict:
    """43 resources: three tiers in three zones, a NAT gateway each, three endpoints."""
    return {"cidr_block": f"10.{number}.0.0/16", "availability_zones": ZONES,
            "subnets": {"public": {}, "private": {}, "isolated": {}},
            "nat_gateways": "one_per_zone", "gateway_endpoints": ["s3", "dynamodb"],
            "interface_endpoints": ["ecr.api"]}


def networks(size: int) -> dict:
    """The components of a stack of so many networks."""
    return {f"network{n:02}": network(n) for n in range(1, size + 1)}


def build(stage: Stage, size: int) -> int:
    """Makes it and returns the number of its resources.

    In this process, with a quick clock: AWS's limits would let 72 endpoints take four minutes.
    """
    given = {"product": "bench", "environment": f"n{size}", "region": REGION,
             "endpoint_url": stage.lab.endpoint, "aws_account_id": ACCOUNT,
             "access_key": f"LAB0{ACCOUNT}", "secret_key": "emulated-secret-key"}
    spec = ArgumentSpecValidator({**run.aws_argument_spec(), **run.COMMON}).validate(given)
    try:
        with patch.object(run, "Clock", Quick):
            run.execute(Module(spec.validated_parameters, False, False), components(),
                        networks(size))
    except Ended as ended:
        if ended.result.get("failed"):
            raise Failed(ended.result["msg"]) from ended
        return len(ended.result["plan"])
    raise AssertionError("the module did not end")


def collection(stage: Stage) -> Path:
    """The folder of the collection bench.networks: our module, run as those of groundwork.aws."""
    plugins = stage.folder / "ansible_collections" / "bench" / "networks" / "plugins"
    if not plugins.exists():
        plugins.mkdir(parents=True)
        for kind in ("modules", "action"):
            (plugins / kind).symlink_to(HERE / kind)
    return stage.folder


def command(stage: Stage, size: int) -> tuple[Command, Command]:
    """A stack of so many networks, and an empty play with the same variables."""
    inventory = stage.inventory(f"many-{size}", {f"bench-n{size}": {
        "product": "bench", "environment_name": f"n{size}", "networks": networks(size),
        **stage.connection()}})
    paths = f"{collection(stage)}:{ROOT / '.collections'}"
    ours = stage.play(str(size), HERE / "many_networks.yml", [inventory],
                      environment={"ANSIBLE_COLLECTIONS_PATH": paths})
    empty = stage.empty([inventory])
    empty.name = f"empty {size}"
    return ours, empty


def many_networks(stage: Stage):
    """1,000 network resources in one stack of 24 networks, nothing to do."""
    commands, counts = [], {}
    stage.lab.set(quotas={name: 1000 for name in QUOTAS})
    stage.lab.reset()
    for size in SIZES:
        counts[size] = build(stage, size)
        commands += command(stage, size)
    found = stage.measure(commands)
    most = SIZES[-1]
    title = f"{counts[most]} network resources in one stack ({most} networks), nothing to do"
    calls = found[str(most)].median("calls")
    yield above(title, found[str(most)], found[f"empty {most}"], 2.0)
    yield at_most(f"{title}: API calls a resource", calls / counts[most], 0.05, "calls",
                  calls=calls)
    more = {s: found[str(s)].median("cpu") - found[f"empty {s}"].median("cpu") for s in SIZES}
    yield linear(f"{title}: processor time by size", "s", more, counts)
    more = {s: largest_below(command(stage, s)[0]) for s in SIZES}
    yield linear(f"{title}: memory of the module by size", "MB", more, counts)


def linear(title: str, unit: str, more: dict, counts: dict) -> Row:
    """Whether the second half grows no faster than the first, a resource."""
    small, middle, large = SIZES
    first = (more[middle] - more[small]) / (counts[middle] - counts[small])
    second = (more[large] - more[middle]) / (counts[large] - counts[middle])
    shown = ", ".join(f"{counts[s]}: {more[s]:.2f} {unit}" for s in SIZES)
    # All of it, what does not grow included, is what one resource may cost at most.
    met = second <= LINEAR * max(first, more[middle] / counts[middle])
    return Row(title, shown, "", f"{1000 * second:.2f} {unit} for 1,000 more", "linear", met,
               {"more": more, "resources": counts})
