# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The action of groundwork.aws.stack_info."""
from __future__ import annotations

from ansible_collections.groundwork.aws.plugins.plugin_utils.action import ActionModule

__all__ = ["ActionModule"]
