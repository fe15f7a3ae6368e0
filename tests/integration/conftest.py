# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How tests are spread over workers."""
from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling


class Shared(LoadScopeScheduling):
    """Modules in folders share what they start, such as a control plane: one worker has all of it.

    Tests of the other modules go wherever there is time.
    """

    def _split_scope(self, nodeid: str) -> str:
        module, *_test = nodeid.split("::")
        return nodeid if module.rpartition("/")[0].endswith("integration") else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return Shared(config, log)
