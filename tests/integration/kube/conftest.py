# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures: a lab with real control planes, where their programs are built."""
from __future__ import annotations

import pytest
from tests.integration.kube.worlds import World

from lab.kube.build import built
from lab.kube.fleet import NEEDED


@pytest.fixture(scope="session", autouse=True)
def programs():
    found = built(*NEEDED)
    if found is None:
        pytest.skip("the control plane is not built; build it with: python -m lab.kube")
    return found


@pytest.fixture(scope="module")
def world(programs):
    """A lab with one active cluster `live`, of authentication mode API."""
    world = World()
    world.cluster("live")
    yield world
    world.lab.close()
