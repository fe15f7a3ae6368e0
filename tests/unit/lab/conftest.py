# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fixtures: a lab, and a maker of labs with settings."""
from __future__ import annotations

import pytest
from tests.unit.lab.lab_worlds import Aws


@pytest.fixture
def aws():
    return Aws()


@pytest.fixture
def make_aws():
    return Aws
