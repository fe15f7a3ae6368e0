"""What is true of every run, whatever the stack, the world and the faults."""
from __future__ import annotations

import copy

from hypothesis import given, strategies as st

from ansible_collections.groundwork.aws.plugins.module_utils.engine.plan import Policy
from tests.unit.engine import cases, toys
from tests.unit.engine.cases import Attempt, install, pasts, stacks
from tests.unit.engine.toys import VirtualClock, World

HEALING = ("lost_before", "lost_after", "throttled")
FAULTS = (*HEALING, "refused", "kill_before", "kill_after", "stop")


@st.composite
def worlds(draw, faults=FAULTS, delays=(0, 0, 5)):
    """A stack, and a world with a past and with faults to come."""
    items = draw(stacks())
    past = draw(pasts(items))
    clock = VirtualClock(draw(st.integers(0, 9)), (0.05, 0.1, 3.0))
    world = World(clock, draw(st.sampled_from(delays)))
    install(world, items, past)
    plan = draw(st.dictionaries(st.integers(0, 12), st.sampled_from(faults), max_size=3)) \
        if faults else {}
    return items, world, plan


def run_to_the_end(world, items, policy, removal=False):
    """Runs without faults until nothing is left to do; at most a few."""
    for _turn in range(3):
        world.calm()
        attempt = Attempt(world, items, policy).go(removal)
        cases.expect_order(attempt)
        if attempt.done:
            return attempt
    raise AssertionError(attempt.problems)


@given(worlds(faults=()))
def test_one_run_makes_everything_as_wanted(case):
    items, world, _faults = case
    policy, theirs = cases.data_loss(world, items), cases.foreign(world)
    attempt = Attempt(world, items, policy).go()
    cases.expect_order(attempt)
    assert attempt.done, attempt.problems
    cases.expect_wanted(world, items)
    cases.expect_foreign(world, theirs)
    cases.expect_calm(world, items, policy)


@given(worlds())
def test_whatever_fails_the_next_run_ends_in_the_same_place(case):
    items, world, faults = case
    policy, theirs = cases.data_loss(world, items), cases.foreign(world)
    world.faults = dict(faults)
    attempt = Attempt(world, items, policy).go()
    cases.expect_order(attempt)
    if attempt.done:
        cases.expect_wanted(world, items)
    else:
        run_to_the_end(world, items, policy)
        cases.expect_wanted(world, items)
    cases.expect_foreign(world, theirs)
    cases.expect_calm(world, items, policy)


@given(worlds(faults=HEALING, delays=(0, 5, 12)))
def test_what_time_heals_needs_no_second_run(case):
    items, world, faults = case
    policy = cases.data_loss(world, items)
    world.faults = dict(faults)
    attempt = Attempt(world, items, policy).go()
    assert attempt.done, attempt.problems
    cases.expect_wanted(world, items)
    cases.expect_calm(world, items, policy)


@given(worlds(faults=()))
def test_a_plan_writes_nothing_and_says_what_apply_does(case):
    items, world, _faults = case
    policy = cases.data_loss(world, items)
    before = copy.deepcopy(world.objects)
    first = Attempt(world, items, policy).read()
    assert world.writes == 0 and world.objects == before
    attempt = Attempt(world, items, policy).go()
    assert [(c.step, c.action) for c in first.steps] == \
        [(c.step, c.action) for c in attempt.plan.steps]
    written = {operation for operation, _what in world.log if operation != "list"}
    assert bool(written) == any(c.action != "update" or set(c.changed) != {"ready"}
                                for c in first.steps)
    created = sum(operation == "create" for operation, _what in world.log)
    assert created == sum(c.action in ("create", "replace") for c in first.steps)


@given(worlds(), st.booleans())
def test_destroy_leaves_nothing_of_ours(case, interrupted):
    items, world, faults = case
    policy, theirs = cases.data_loss(world, items), cases.foreign(world)
    world.faults = dict(faults) if interrupted else {}
    attempt = Attempt(world, items, policy).go(removal=True)
    cases.expect_order(attempt)
    if not attempt.done:
        assert interrupted, attempt.problems
        run_to_the_end(world, items, policy, removal=True)
    rest = [o for o in world.all() if o["State"] != "gone" and o not in cases.foreign(world)]
    assert not rest
    cases.expect_foreign(world, theirs)


@given(worlds(faults=()))
def test_left_overs_are_shown_and_stay(case):
    items, world, _faults = case
    keys = {i.key for i in items}
    over = {o["Id"] for o in world.ours() if o["Tags"][toys.KEY] not in keys}
    policy = Policy(allow_replace=("*",), allow_data_loss=tuple(keys))
    attempt = Attempt(world, items, policy).go()
    assert attempt.done, attempt.problems
    assert {c.live["Id"] for c in attempt.plan.left_over} == over
    assert over <= set(world.objects)


@given(worlds(faults=()))
def test_data_stays_unless_its_key_is_named(case):
    items, world, _faults = case
    disks = {o["Id"] for o in world.all("disk")}
    attempt = Attempt(world, items, cases.ANYTHING)
    try:
        attempt.read()
    except cases.Refused as refused:
        assert all("allow_data_loss" in problem for problem in refused.problems)
        assert world.writes == 0
        return
    attempt.apply()
    assert attempt.done, attempt.problems
    assert disks <= set(world.objects)
