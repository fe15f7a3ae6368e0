# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What shows the plan of the module `stack` shows it here too."""
from ansible_collections.groundwork.aws.plugins.action.stack import ActionModule

__all__ = ["ActionModule"]
