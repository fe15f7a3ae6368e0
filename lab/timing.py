"""Time in the lab: what happens later, how long states last, and who sees what how soon."""

import heapq
import itertools
import json
from datetime import datetime, timezone
from pathlib import Path

import jmespath

from lab.calls import is_write
from lab.errors import Refusal
from lab.wire import parse_answer, serialize

DATA = Path(__file__).parent / "data"
DURATIONS = json.loads((DATA / "durations.json").read_text())
RATES = json.loads((DATA / "rates.json").read_text())
VISIBILITY = json.loads((DATA / "visibility.json").read_text())


def iso(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc)


class Schedule:
    """Functions that run at a time of the lab's clock; looked at when a request arrives."""

    def __init__(self):
        self.heap = []
        self.number = itertools.count()

    def at(self, when, function):
        heapq.heappush(self.heap, (when, next(self.number), function))

    def run_due(self, now):
        while self.heap and self.heap[0][0] <= now:
            heapq.heappop(self.heap)[2]()


class Buckets:
    """Token buckets by API action, as published (data/rates.json)."""

    def __init__(self):
        self.level = {}

    def rate(self, call):
        overrides = call.lab.settings.rates
        for table in (overrides, RATES["actions"]):
            if call.name in table:
                return call.name, table[call.name]
        if call.service in RATES["unfiltered"] and unfiltered(call):
            if call.operation in RATES["unfiltered"][call.service]["operations"]:
                return f"{call.name} unfiltered", RATES["unfiltered"][call.service]["rate"]
        for row in RATES["services"].get(call.service, []):
            if call.operation.startswith(tuple(row["prefix"])):
                return call.name if row["per"] == "action" else call.service, row["rate"]
        return None, None

    def take(self, call):
        """True when the call may pass."""
        name, rate = self.rate(call)
        if rate is None:
            return True
        burst, refill = rate
        key = (call.account, call.region, name)
        level, then = self.level.get(key, (burst, call.now))
        level = min(burst, level + (call.now - then) * refill)
        passed = level >= 1
        self.level[key] = (level - 1 if passed else level, call.now)
        return passed


def unfiltered(call):
    return not any(value for name, value in call.params.items() if name != "DryRun")


class Visibility:
    """Eventual consistency: what was just made is missing from answers for a while."""

    def __init__(self):
        self.born = {}

    def learn(self, call, answer):
        """Remember what a successful create made."""
        path = VISIBILITY["made"].get(call.name)
        if path:
            made = jmespath.search(path, parse_answer(call, answer))
            for name in made if isinstance(made, list) else [made]:
                self.born[call.account, name] = call.now

    def hidden(self, call, name):
        delay = call.lab.settings.visibility_ms / 1000
        born = self.born.get((call.account, name))
        return born is not None and call.now - born < delay

    def refuse(self, call):
        """Asked for by name: not found yet. Writes are refused only when the settings say so."""
        row = VISIBILITY["asked"].get(call.name)
        if is_write(call.name) and not call.lab.settings.visibility_writes:
            return
        asked = call.params.get(row["parameter"]) if row else None
        for name in asked if isinstance(asked, list) else [asked]:
            if name and self.hidden(call, name):
                raise Refusal(row["code"], row["message"].format(name), row.get("status"))

    def filter(self, call, answer):
        """Drop hidden objects out of a listing."""
        row = VISIBILITY["listed"].get(call.name)
        if row is None or not self.born:
            return answer
        result = parse_answer(call, answer)
        items = result.get(row["items"]) or []
        kept = [item for item in items if not self.hidden(call, item[row["id"]])]
        if len(kept) == len(items):
            return answer
        result[row["items"]] = kept
        return serialize(call, result)
