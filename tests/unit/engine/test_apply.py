"""What runs do, one rule at a time: order, waiting, retries, stops."""
from __future__ import annotations

import threading
import types

import pytest

from ansible_collections.groundwork.aws.plugins.module_utils.engine import errors
from ansible_collections.groundwork.aws.plugins.module_utils.engine.apply import Run
from ansible_collections.groundwork.aws.plugins.module_utils.engine.plan import (
    Policy, destroy, plan,
)
from ansible_collections.groundwork.aws.plugins.module_utils.engine.resource import attr
from ansible_collections.groundwork.aws.plugins.module_utils.engine.scan import Scan
from ansible_collections.groundwork.aws.plugins.module_utils.engine.wait import Clock, pauses
from tests.unit.engine import toys
from tests.unit.engine.toys import KEY, STACK, ThreadedClock, VirtualClock, World, made, tags

NET, HOST, ROLE, CLUSTER = "toy/net/a", "toy/host/a", "toy/role/a", "toy/cluster/a"


@pytest.fixture(name="world")
def _world():
    return World(VirtualClock())


def applied(world, *wanted, removal=False, width=16, **policy):
    """(outcomes, events) of one run."""
    make = destroy if removal else plan
    found = make(wanted, Scan(world, STACK, wanted), toys.TYPES, Policy(**policy))
    world.log.clear()
    run = Run(found, Scan(world, STACK, wanted), world.clock, width)
    world.on_stop, events = run.stop.set, []
    run.told = lambda step, outcome: events.append((step, outcome, world.clock.now()))
    return run.go(), events


def calls(world, *names):
    return [entry for entry in world.log if entry[0] in names]


def net(key=NET, **fields):
    return made(toys.Net, key, cidr=1, **fields)


def clusters(count, **fields):
    role = made(toys.Role, ROLE, name="r")
    return role, [made(toys.Cluster, f"toy/cluster/{n}", name=f"c{n}", role=role, **fields)
                  for n in range(count)]


class Refusing(World):
    """Answers the n-th write call (or all) with a failure of a class of the engine."""

    def __init__(self, kind, times, effect=False):
        super().__init__(VirtualClock())
        self.kind, self.times, self.effect, self.asked = kind, times, effect, 0

    def _write(self, operation, what, effect):
        self.asked += 1
        if self.times:
            self.times -= 1
            if self.effect:
                super()._write(operation, what, effect)
            raise getattr(errors, self.kind)("Code", "text", operation)
        return super()._write(operation, what, effect)


# kind of failure -> is a creation, an update, a deletion that met it once repeated?
RULES = {
    "Throttled": (True, True, True),
    "Unreachable": (True, True, True),
    "Ambiguous": (True, True, True),
    "Busy": (True, True, True),
    "NotFound": (False, False, None),
    "Exists": (True, False, False),  # once: the name may have become free
    "Denied": (False, False, False),
    "Quota": (False, False, False),
    "Credentials": (False, False, False),
    "ServiceFailure": (False, False, False),
}


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("verb", ["create", "update", "delete"])
def test_the_retry_rule(kind, verb):
    world = Refusing(kind, 1)
    if verb != "create":
        world.put("net", tags(NET), Cidr=1, Dns=True)
    wanted = [] if verb == "delete" else [net(dns=verb == "create" or False)]
    outcomes, _events = applied(world, *wanted, prune=True)
    outcome = next(iter(outcomes.values()))
    again = RULES[kind][("create", "update", "delete").index(verb)]
    if again is None:  # gone already
        assert (outcome.state, world.asked) == ("done", 1)
    elif again:
        assert outcome.state == "done" and world.asked > 1
    else:
        assert (outcome.state, outcome.why) == ("failed", f"Code text ({verb})")
        assert world.asked == 1


@pytest.mark.parametrize("delay", [0, 5, 20])
@pytest.mark.parametrize("resource", [net(dns=True), made(toys.Role, ROLE, name="r")])
def test_a_lost_answer_makes_one_object_however_late_it_is_seen(resource, delay):
    world = World(VirtualClock(), delay)
    world.faults = {0: "lost_after"}
    outcomes, _events = applied(world, resource)
    assert outcomes[resource.key].state == "done"
    assert len(world.ours()) == 1
    assert calls(world, "create", "list")[0][0] == "create"  # then it looked


def test_the_old_one_is_not_taken_for_the_heir_whose_answer_was_lost():
    world = World(VirtualClock(), delay=15)
    old = world.put("net", tags(NET), Cidr=2)
    world.faults = {1: "lost_after"}
    outcomes, _events = applied(world, net(), allow_replace=("*",))
    assert {o.state for o in outcomes.values()} == {"done"}
    assert [o["Id"] == old for o in world.ours()] == [False]


class Named(toys.Cluster):
    """Others refer to it by its name."""

    ref = "Name"


def test_the_heir_of_a_name_is_found_after_a_lost_answer(world):
    """The old one of that name is gone by then."""
    roles = [made(toys.Role, f"toy/role/{name}", name=name) for name in "ab"]
    for role in roles:
        world.put("role", tags(role.key), Name=role.name)
    world.put("cluster", tags(CLUSTER), Name="c", Role="role-1")
    world.faults = {1: "lost_after"}
    wanted = [*roles, made(Named, CLUSTER, name="c", role=roles[1])]
    found = plan(wanted, Scan(world, STACK, wanted), (), Policy(allow_replace=("*",)))
    outcomes = Run(found, Scan(world, STACK, wanted), world.clock).go()
    assert {o.state for o in outcomes.values()} == {"done"}
    assert [o["Role"] for o in world.ours("cluster")] == ["role-2"]


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_replacement_that_was_killed_is_taken_up(world, at, when):
    """Its writes: the mark, the creation, the deletion."""
    old = world.put("net", tags(NET), Cidr=2)
    world.faults = {at: f"kill_{when}"}
    with pytest.raises(toys.Killed):
        applied(world, net(), allow_replace=("*",))
    world.calm()
    outcomes, _events = applied(world, net(), allow_replace=("*",))
    assert {o.state for o in outcomes.values()} <= {"done"}
    assert [(o["Id"] == old, o["Cidr"]) for o in world.ours()] == [(False, 1)]


def test_an_update_without_an_answer_is_looked_at_and_not_sent_again(world):
    role, (cluster,) = clusters(1, version=4)
    found = world.put("role", tags(ROLE), Name="r")
    world.put("cluster", tags(cluster.key), Name="c0", Role=found, Version=3)
    world.faults = {0: "lost_after"}
    outcomes, _events = applied(world, role, cluster)
    assert outcomes[cluster.key].state == "done"
    assert len(calls(world, "update")) == 1


def test_versions_go_up_one_by_one(world):
    role, (cluster,) = clusters(1, version=6, logs=["a"])
    found = world.put("role", tags(ROLE), Name="r")
    live = world.put("cluster", tags(cluster.key), Name="c0", Role=found, Version=3)
    outcomes, _events = applied(world, role, cluster)
    assert outcomes[cluster.key].state == "done"
    assert (world.objects[live]["Version"], world.objects[live]["Logs"]) == (6, ["a"])
    assert len(calls(world, "update")) == 4


def test_a_field_that_does_not_take_its_value_is_named(world):
    found = world.put("net", tags(NET), Cidr=1, Dns=False)
    world.update = lambda name, **values: None
    outcomes, _events = applied(world, net(dns=True))
    assert outcomes[NET].why == "dns did not take the wanted value"
    assert world.objects[found]["Dns"] is False


def test_not_found_is_patience_for_what_this_run_made():
    world = World(VirtualClock(), delay=30)
    parent = net()
    outcomes, _events = applied(world, parent, made(toys.Host, HOST, net=parent))
    assert outcomes[HOST].state == "done" and outcomes[HOST].seconds > 25


def test_not_found_is_no_patience_for_anything_else(world):
    world.put("net", tags(NET), Cidr=1)
    host = made(toys.Host, HOST, net=net())
    found = plan([host], Scan(world, STACK, [host]), toys.TYPES)
    world.objects.clear()  # somebody takes the net away after the plan
    run = Run(found, Scan(world, STACK, [host]), world.clock)
    assert run.go()[HOST].why == "NotFound net-1 does not exist (toy)"
    assert world.clock.now() < 1


def test_an_update_may_wait_for_what_it_now_refers_to():
    world = World(VirtualClock(), delay=30)
    parent = world.put("net", tags(NET), Cidr=1)
    world.put("host", tags(HOST), Net=parent)
    wanted, disk = net(), made(toys.Disk, "toy/disk/a", size=1)
    outcomes, _events = applied(world, wanted, disk, made(toys.Host, HOST, net=wanted,
                                                          disks=[disk]))
    assert {o.state for o in outcomes.values()} == {"done"}


def test_patience_has_its_end(world):
    role, (cluster,) = clusters(1)
    found = world.put("role", tags(ROLE), Name="r")
    world.put("cluster", tags(cluster.key), Name="c0", Role=found, State="creating")
    outcomes, events = applied(world, role, cluster)
    assert outcomes[cluster.key].why == "not ready in time"
    assert 2400 <= events[-1][2] < 2500  # four times the usual duration


def test_the_rhythm_of_waiting(world):
    found = []
    for pause in pauses(world.clock, 600):
        found.append(pause)
        world.clock.sleep(pause)
    assert found[0] < 0.3 and 13 < found[20] < 17 and len(found) < 250
    assert 2400 <= sum(found) < 2401


def test_a_failed_state_ends_the_wait_with_its_reason(world):
    role, (cluster,) = clusters(1)
    create = world.create
    doom = {"cluster": {"Doomed": True, "Why": "no room"}}
    world.create = lambda kind, tags_, values: create(
        kind, tags_, {**values, **doom.get(kind, {})})
    outcomes, events = applied(world, role, cluster)
    assert outcomes[cluster.key].why == "failed: no room"
    assert events[-1][2] < 650


def test_a_failure_skips_only_what_depends_on_it_and_says_so(world):
    one, two = net("toy/net/1"), net("toy/net/2")
    hosts = [made(toys.Host, f"toy/host/{n}", net=parent) for n, parent in enumerate((one, two))]
    node = made(toys.Route, "toy/route/0", net=one, dest=1, target=hosts[0])
    world.faults = {0: "refused"}
    outcomes, _events = applied(world, one, two, *hosts, node)
    assert {k: o.state for k, o in outcomes.items()} == {
        "toy/net/1": "failed", "toy/net/2": "done", "toy/host/0": "skipped",
        "toy/host/1": "done", "toy/route/0": "skipped"}
    assert outcomes["toy/host/0"].why == "because of toy/net/1"
    assert outcomes["toy/net/1"].why.startswith("ValidationError not like this")


def test_an_error_in_a_type_is_one_step_s_failure(world):
    def broken(*_args):
        raise KeyError("oops")

    bad = net("toy/net/bad")
    bad_type = type("Bad", (toys.Net,), {"create": broken})
    bad = made(bad_type, "toy/net/bad", cidr=1)
    outcomes, _events = applied(world, bad, net())
    assert outcomes["toy/net/bad"].why == "KeyError: 'oops'"
    assert outcomes[NET].state == "done"


def test_the_longest_way_goes_first(world):
    """With one worker at a time the order of calls is the order of urgency."""
    small = [net(f"toy/net/{n}") for n in range(5)]
    role, (cluster,) = clusters(1)
    _outcomes, events = applied(world, *small, role, cluster, width=1)
    assert [entry for entry in world.log if entry[0] == "create"][0] == ("create", "role")
    assert events[-1][0] == cluster.key


def test_what_is_independent_runs_side_by_side(world):
    role, found = clusters(10)
    _outcomes, events = applied(world, role, *found)
    assert events[-1][2] < 650


def test_ten_that_wait_are_one_call(world):
    role, found = clusters(10)
    applied(world, role, *found)
    alone = World(VirtualClock())
    applied(alone, role, found[0])
    reads = [len(calls(w, "list")) for w in (world, alone)]
    assert reads[0] < 1.5 * reads[1]


def test_no_listing_is_older_than_the_question():
    """A listing under way when a write ends does not tell of it."""
    world = World(VirtualClock(latencies=(0.5, 5.0)))
    role, found = clusters(6, logs=["a"])
    world.put("role", tags(ROLE), Name="r")
    for cluster in found:
        world.put("cluster", tags(cluster.key), Name=cluster.name, Role="role-1", Version=3)
    outcomes, _events = applied(world, role, *found)
    assert {o.state for o in outcomes.values()} == {"done"}
    assert len(calls(world, "update")) == 6


def test_one_type_is_listed_once_at_a_time():
    world, now, most, lock = World(ThreadedClock()), [], [], threading.Lock()
    create, listed = world.create, world.list

    def one_after_another(kind, tags_, values):
        world.clock.sleep(7 * int(values["Name"].strip("rc") or 0))
        return create(kind, tags_, values)

    def counted(kind):
        with lock:
            now.append(kind)
            most.append(now.count(kind))
        world.clock.sleep(20)
        with lock:
            now.remove(kind)
        return listed(kind)

    world.create, world.list = one_after_another, counted
    role, found = clusters(6)
    outcomes, _events = applied(world, role, *found)
    assert {o.state for o in outcomes.values()} == {"done"} and max(most) == 1


class Late(toys.Cluster):
    """Its creation does not take the logs."""

    logs: list = attr("Logs", later=True)


def test_who_asks_during_a_listing_is_not_answered_by_it():
    """It may not tell what the asker has done since: here, begun a slow change."""
    world = World(ThreadedClock())
    listed, update = world.list, world.update

    def slowly(kind):
        found = listed(kind)
        world.clock.sleep(20)
        return found

    def second_is_late(name, **values):
        world.clock.sleep(10 * (world.objects[name]["Name"] == "second"))
        update(name, **values)

    world.list, world.update = slowly, second_is_late
    role = made(toys.Role, ROLE, name="r")
    outcomes, _events = applied(world, role, *(
        made(Late, f"toy/late/{name}", name=name, role=role, logs=["a"])
        for name in ("first", "second")))
    assert outcomes["toy/late/first"].seconds > 900 and outcomes["toy/late/second"].seconds > 900


def test_a_listing_that_fails_for_a_while_fails_nothing(world):
    role, (cluster,) = clusters(1)
    found = plan([role, cluster], Scan(world, STACK, [role, cluster]), toys.TYPES)
    world.read_faults = {world.reads + n: ("throttled", "lost_before")[n % 2] for n in range(6)}
    assert Run(found, Scan(world, STACK), world.clock).go()[cluster.key].state == "done"


def test_a_name_that_is_leaving_is_waited_for(world):
    role, (cluster,) = clusters(1)
    applied(world, role, cluster)
    world.delete(world.ours("cluster")[0]["Id"])
    outcomes, _events = applied(world, role, cluster)
    assert outcomes[cluster.key].state == "done" and outcomes[cluster.key].seconds > 700
    assert len(world.ours("cluster")) == 1


def test_destroy_waits_until_what_is_leaving_is_gone(world):
    role, (cluster,) = clusters(1)
    applied(world, role, cluster)
    world.delete(world.ours("cluster")[0]["Id"])
    outcomes, events = applied(world, role, cluster, removal=True)
    assert {o.state for o in outcomes.values()} == {"done"} and events[-1][2] > 800
    assert outcomes[f"{cluster.key} (delete cluster-2)"].seconds > 100


def test_what_somebody_else_hangs_on_keeps_a_removal_back(world):
    applied(world, net())
    world.put("host", {}, Net=world.ours("net")[0]["Id"])
    outcomes, _events = applied(world, net(), removal=True)
    outcome = next(iter(outcomes.values()))
    assert outcome.state == "failed" and "host-2 holds net-1" in outcome.why


@pytest.mark.parametrize("at", range(6))
def test_a_stop_names_the_rest_and_does_not_hang(world, at):
    role, found = clusters(3)
    world.faults = {at: "stop"}
    outcomes, events = applied(world, role, *found, net(), net("toy/net/b"))
    assert len(outcomes) == 6 and events[-1][2] < 601
    for outcome in outcomes.values():
        assert outcome.state == "done" or "stopped" in outcome.why or "because" in outcome.why
    if at < 5:
        assert any(o.state != "done" for o in outcomes.values())


def test_a_stop_before_the_start_writes_nothing(world):
    found = plan([net()], Scan(world, STACK, [net()]), toys.TYPES)
    run = Run(found, Scan(world, STACK), world.clock)
    run.stop.set()
    assert run.go()[NET].state == "skipped" and world.writes == 0


@pytest.mark.parametrize("clock", [VirtualClock, ThreadedClock])
def test_the_end_of_the_process_ends_the_run(clock):
    world = World(clock())
    world.faults = {3: "kill_after"}
    with pytest.raises(toys.Killed):
        applied(world, *(net(f"toy/net/{n}") for n in range(8)))


def test_real_threads_work_side_by_side():
    world = World(ThreadedClock())
    role, found = clusters(8, version=3)
    nets = [net(f"toy/net/{n}") for n in range(40)]
    world.latency = 2.0
    outcomes, events = applied(world, *nets, role, *found)
    assert {o.state for o in outcomes.values()} == {"done"}
    assert events[-1][2] < 650
    assert len(world.ours()) == 49 and len({o["Tags"][KEY] for o in world.ours()}) == 49


def test_the_width_is_the_most_calls_at_once():
    world, most, now = World(ThreadedClock()), [], []
    lock, create = threading.Lock(), world.create

    def counted(*arguments):
        with lock:
            now.append(1)
            most.append(len(now))
        world.clock.sleep(1)
        with lock:
            now.pop()
        return create(*arguments)

    world.create = counted
    applied(world, *(net(f"toy/net/{n}") for n in range(20)), width=4)
    assert max(most) == 4


def test_the_real_clock_keeps_time():
    clock = Clock()
    box = types.SimpleNamespace(get=lambda timeout: timeout)
    assert clock.get(box, -1) == 0
    assert 9 <= clock.jitter(10) <= 11 and clock.now() <= clock.now()


def test_what_refers_to_something_made_again_is_compared_when_that_is_there(world):
    wanted = [net()]
    wanted.append(made(toys.Host, HOST, net=wanted[0]))
    applied(world, *wanted)
    world.objects.pop(next(i for i, o in world.objects.items() if o["Kind"] == "net"))
    outcomes, _events = applied(world, *wanted)
    assert outcomes[NET].state == "done"
    assert "the next plan replaces it" in outcomes[HOST].why
    with pytest.raises(errors.Refused, match=r"allow it with \(stack_\)allow_replace"):
        applied(world, *wanted)
    outcomes, _events = applied(world, *wanted, allow_replace=(HOST,))
    assert {o.state for o in outcomes.values()} == {"done"}
