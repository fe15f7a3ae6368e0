# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Law 6 for objects and releases: killed at any write, of the module or of helm, run again."""
from __future__ import annotations

import functools
import time

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.types.helm_records import LIMIT
from tests.integration.applyset.test_releases import SPACE, listed, release
from tests.kube_gate import Gate
from tests.kube_world import Killed, KubeWorld, Watched, manifests, plane
from tests.world import actions

pytestmark = [pytest.mark.laws, pytest.mark.kube]
# Where the ordinary test run kills: writes of helm, in the middle of its work.
SAMPLE = {"build": (6, "after"), "change": (3, "before"), "removal": (3, "after")}
OBJECTS = [SPACE, *manifests("""
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: "{ns}"}
data: {level: info}
""")]
ALL = {"allow_data_loss": ["{ns}/namespace/{ns}"]}


@pytest.fixture(name="gate", scope="module")
def _gate(helm, tmp_path_factory):
    gate = Gate(plane(), tmp_path_factory.mktemp("gate"), helm)
    Watched.gate = gate
    yield gate
    Watched.gate = None
    gate.server.shutdown()


class Life:
    """A set of objects and a release, in the directions in which it may go."""

    def __init__(self, gate, repo):
        self.world, self.repo = KubeWorld(str(gate.kubeconfig)), repo
        self.world.run = functools.partial(self.world.run, helm_binary=str(gate.helm),
                                           lease_takeover=True)

    def build(self, **values):
        """The set, with these values of its release."""
        return self.world.run(OBJECTS, releases=[release(self.repo, values=values)])

    def change(self):
        """Another value."""
        return self.build(replicas=2)

    def removal(self):
        """All of it."""
        return self.world.run(state="absent", **ALL)


BEFORE = {"build": [], "change": ["build"], "removal": ["build"]}


def lived(gate, repo, direction: str) -> Life:
    """A set that has come as far as the direction begins."""
    gate.begin()
    life = Life(gate, repo)
    for name in BEFORE[direction]:
        assert not (done := getattr(life, name)())["failed"], done["msg"]
    return life


def places(gate, repo, direction: str) -> list:
    """(number of the write, before or after its effect)."""
    life = lived(gate, repo, direction)
    gate.begin()
    assert not (done := getattr(life, direction)())["failed"], done["msg"]
    count = len(gate.writes)
    life.removal()
    return [(n, when) for n in range(1, count + 1) for when in ("before", "after")]


def crash(gate, repo, helm, direction: str, place: tuple) -> None:
    """One kill, one more run; judged from what is on the cluster."""
    life = lived(gate, repo, direction)
    world, go = life.world, getattr(life, direction)
    gate.begin(place)
    with pytest.raises(Killed):
        go()
    print(direction, place, gate.writes[-1])
    gate.begin()
    begun = time.monotonic()
    ended = go()
    assert not ended["failed"], ended["msg"]
    assert time.monotonic() - begun < LIMIT, "it has waited for the helm of a run that is dead"
    if direction != "removal":
        assert listed(helm, world) == [("web", "web-1.0.0", "deployed")]
        again = go()
        assert (actions(again), again["changed"], again["left_over"]) == ({}, False, [])
        assert not (gone := life.removal())["failed"], gone["msg"]
    assert world.left() == []
    assert listed(helm, world) == []


@pytest.mark.parametrize("direction", BEFORE)
def test_killed_in_the_midst(gate, repo, helm, direction):
    crash(gate, repo, helm, direction, SAMPLE[direction])
    assert gate.running.exists()


def test_wanted_again_after_a_killed_removal(gate, repo, helm):
    """What helm has begun to take away for a run of ours is dead with it."""
    life = lived(gate, repo, "removal")
    gate.begin((3, "before"))
    with pytest.raises(Killed):
        life.removal()
    assert listed(helm, life.world) == [("web", "web-1.0.0", "uninstalling")], gate.writes
    gate.begin()
    begun = time.monotonic()
    assert not (done := life.build())["failed"], done["msg"]
    assert time.monotonic() - begun < LIMIT
    assert listed(helm, life.world) == [("web", "web-1.0.0", "deployed")]
    assert not (gone := life.removal())["failed"], gone["msg"]


@pytest.mark.crash_all
@pytest.mark.parametrize("direction", BEFORE)
def test_killed_at_every_place(gate, repo, helm, direction):
    failed = []
    for place in places(gate, repo, direction):
        try:
            crash(gate, repo, helm, direction, place)
        except (AssertionError, pytest.fail.Exception) as error:
            failed.append(f"{direction} {place}: {error}")
    assert not failed, "\n".join(failed)
