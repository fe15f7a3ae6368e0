# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A process that runs one module right out of the installed collections; local.py starts it.

Standard input: {"module": name to import, "paths": folders of ansible_collections, "given": what
the module reads its arguments from, "profile": how they are written}.
"""
from __future__ import annotations

import gc
import importlib
import json
import sys
import types

# Objects made before the collector looks at them: models of APIs are most of 100,000 that stay.
YOUNG = 200_000


def main() -> None:
    """Imports the module and calls its main(), which prints a result and exits."""
    gc.disable()  # imports make no garbage, and looking for it takes a tenth of their time
    del sys.path[0]  # the folder of this file
    order = json.load(sys.stdin)
    root = types.ModuleType("ansible_collections")
    root.__path__ = order["paths"]
    sys.modules["ansible_collections"] = root
    from ansible.module_utils import basic  # after the order is read: it looks at stdin too
    basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = order["given"].encode(), order["profile"]
    module = importlib.import_module(order["module"])
    gc.freeze()
    gc.set_threshold(YOUNG)
    gc.enable()
    module.main()


if __name__ == "__main__":
    main()
