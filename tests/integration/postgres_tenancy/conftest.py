# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures: a database of two tenants, and a PgBouncer in front of it."""
from __future__ import annotations

import pytest
from tests.integration.postgres_tenancy.worlds import PgBouncer, PostgresWorld
from tests.postgresql_world import programs


@pytest.fixture(name="empty", scope="module")
def begun(tmp_path_factory):
    """Nobody has been there yet."""
    programs()
    world = PostgresWorld(tmp_path_factory.mktemp("postgres"))
    yield world
    world.launcher.stop()


@pytest.fixture(name="world", scope="module")
def converged(empty):
    done = empty.play()
    assert not done.failed, done.text
    yield empty


@pytest.fixture(name="bouncer", scope="module")
def pooled(world):
    programs("pgbouncer")
    bouncer = PgBouncer(world)
    try:
        bouncer.start()
        yield bouncer
    finally:
        bouncer.stop()
