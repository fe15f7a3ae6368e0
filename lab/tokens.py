"""Client tokens of the operations that moto runs: the same token gives the first answer again."""

import copy
import json
from pathlib import Path

from lab.errors import Refusal

TOKENS = json.loads((Path(__file__).parent / "data" / "tokens.json").read_text())


def once(call, run):
    row = TOKENS.get(call.name)
    token = call.params.get(row["parameter"]) if row else None
    if not token:
        return run(call)
    table = call.store.table("client tokens")
    if (call.name, token) in table:
        params, answer = table[call.name, token]
        if params != call.params:
            raise Refusal(row["mismatch"], "The client token was used with other parameters")
        return answer
    params = copy.deepcopy(call.params)
    answer = run(call)
    if answer.status < 300:
        table[call.name, token] = (params, answer)
    return answer
