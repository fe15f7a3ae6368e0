# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is measured with whole processes: each work gives rows of the table."""
from __future__ import annotations

import json

from . import calls
from .measure import ROOT, Command
from .stage import ACCOUNT, AMAZON, STACK, TERRAFORM, Stage
from .table import above, faster

OURS, EMPTY, PLAN, APPLY = "groundwork.aws", "empty play", "terraform plan", "terraform apply"
LATENCY = 100  # ms added to each call in the work of that name


def site(stage: Stage, inventories, *options, **more) -> Command:
    """The collection, as a user runs it."""
    return stage.play(OURS, "playbooks/site.yml", inventories, *options, **more)


def differences(stage: Stage, peer: str, account: str) -> None:
    """Says where the objects that a peer made are not as many as ours."""
    theirs, ours = stage.lab.kinds(account), stage.lab.kinds(ACCOUNT)
    for kind in sorted({*ours, *theirs}):
        if ours.get(kind, 0) != theirs.get(kind, 0):
            stage.note(f"{peer} made {theirs.get(kind, 0)} {kind}, we {ours.get(kind, 0)}.")


def network_noop(stage: Stage):
    """pingvas' network, nothing to do."""
    inventories = [stage.network_inventory()]
    work, amazon = stage.terraform_work("network"), stage.amazon_aws()
    ours, empty = site(stage, inventories), stage.empty(inventories)
    stage.lab.reset()
    stage.run(ours)
    commands, title = [ours, empty], "pingvas network, nothing to do"
    if work:
        stage.run(stage.tf(work, "apply", "-auto-approve"))
        differences(stage, "Terraform", TERRAFORM)
        commands.append(stage.tf(work, "plan", "-detailed-exitcode"))
    found = stage.measure(commands)
    yield above(title, found[OURS], found[EMPTY], 1.0)
    if work:
        yield faster(title, found[OURS], found[PLAN], 3)
    if amazon:
        stage.run(amazon)
        differences(stage, "amazon.aws", AMAZON)
        found = stage.measure([ours, amazon], min(stage.runs, 3))
        yield faster(title, found[OURS], found["amazon.aws"], 8)


def network_create(stage: Stage):
    """pingvas' network on an empty account."""
    title, runs, reset = "pingvas network, create", min(stage.runs, 3), stage.lab.reset
    ours = site(stage, [stage.network_inventory()], prepare=reset)
    work, amazon = stage.terraform_work("network"), stage.amazon_aws(prepare=reset)
    if work:
        def clean():
            reset()
            work.forget()
        found = stage.measure([ours, stage.tf(work, "apply", "-auto-approve", prepare=clean)], runs)
        yield faster(title, found[OURS], found[APPLY], 8)
    if amazon:
        found = stage.measure([ours, amazon], min(runs, 2))
        yield faster(title, found[OURS], found["amazon.aws"], 20)


def whole(stage: Stage) -> tuple:
    """(our command, an empty play, the number of our resources), everything built."""
    inventories = [ROOT / "inventories" / "platform"]
    # What runs in the cluster is measured by works of its own.
    given = {**stage.connection(), "stack_roles": []}
    variables = ["--limit", STACK, "-e", json.dumps(given)]
    ours, plan_file = site(stage, inventories, *variables), stage.folder / "plan.json"
    stage.lab.reset()
    stage.run(ours)
    stage.run(site(stage, inventories, *variables, "-e", f"plan_file={plan_file}"))
    summary = json.loads(plan_file.read_text())["summary"]
    if sum(summary.values()) != summary["keep"]:
        stage.note(f"pingvas-shared: the second run is not without changes: {summary}")
    return ours, stage.empty(inventories, *variables), summary["keep"]


def pingvas_noop(stage: Stage):
    """pingvas-shared whole, nothing to do."""
    ours, empty, resources = whole(stage)
    title, work = f"pingvas-shared ({resources} resources), nothing to do", None
    commands = [ours, empty]
    work = stage.terraform_work("network", "pingvas")
    if work:
        stage.run(stage.tf(work, "apply", "-auto-approve"))
        differences(stage, "Terraform", TERRAFORM)
        commands.append(stage.tf(work, "plan", "-detailed-exitcode"))
    found = stage.measure(commands)
    stage.run(ours)
    count = stage.lab.calls()["count"]
    row = calls.row(title, count, resources)
    if work:
        theirs, made = found[PLAN].median("calls"), work.resources()
        row.peer = f"{PLAN} {theirs / made:.2f} calls ({theirs:.0f} for {made} resources)"
        row.ratio = f"{sum(count.values()) / made:.2f} calls for each of Terraform's {made}"
        yield faster(title, found[OURS], found[PLAN], 4)
    stage.note(calls.arithmetic(count, resources))
    yield row


def pingvas_latency(stage: Stage):
    """The same when each call takes longer, as over a real network."""
    ours, empty, resources = whole(stage)
    stage.lab.set(latency_ms=LATENCY)
    try:
        found = stage.measure([ours, empty])
    finally:
        stage.lab.set(latency_ms=0)
    yield above(f"the same with {LATENCY} ms added to each call ({resources} resources)",
                found[OURS], found[EMPTY], 3.0)
