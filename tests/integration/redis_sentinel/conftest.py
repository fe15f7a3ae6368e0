# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures: three Redis and three Sentinels on the loopback."""
from __future__ import annotations

import pytest
from tests.redis_world import Group


@pytest.fixture(name="whole_group", scope="session")
def running(tmp_path_factory):
    group = Group(tmp_path_factory.mktemp("redis"))
    group.configure()
    try:
        group.start()
        yield group
    finally:
        group.stop()


@pytest.fixture(name="group")
def healthy(whole_group):
    """Each test begins, and leaves the next one, with all of them."""
    group = whole_group
    group.whole()
    yield group
    for pod in group.pods.values():
        pod.heal()
