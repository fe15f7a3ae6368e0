# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The shipped stacks, in one account and on an AWS that is slow, late or short of patience."""
from __future__ import annotations

import pytest
from tests.world import World, actions, stack

STACKS = ("sentineltranslate-dev", "sentineltranslate-staging", "sentineltranslate-prod",
          "pingvas-shared")


def test_all_of_them_in_one_account():
    world = World(quotas={"elastic_ips": 9})  # four networks; AWS's default is five
    for name in STACKS:
        assert set(actions(world.run(stack(name))).values()) == {"create"}
    repositories = world.lab.inventory()["ecr.repository"]
    assert {item["tags"]["groundwork:stack"] for item in repositories} == {*STACKS}


@pytest.mark.parametrize("name", ["sentineltranslate-dev", "pingvas-shared"])
@pytest.mark.parametrize("settings", [
    {"visibility_ms": 60, "visibility_writes": True, "throttle": True},
    {"latency_ms": 5, "time_scale": 0.0005, "role_delay_ms": 100}],
    ids=["late and throttled", "slow"])
def test_on_an_aws_that_is_not_at_once(name, settings):
    """The same end as where everything is done at once, and then nothing is left to do."""
    world = World(**settings)
    made = actions(world.run(stack(name)))
    world.lab.set(visibility_ms=0, visibility_writes=False, throttle=False)
    kinds = world.kinds()
    assert actions(world.run(stack(name))) == {}
    assert not world.writes()
    calm = World()
    assert actions(calm.run(stack(name))) == made
    assert calm.kinds() == kinds
