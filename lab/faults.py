"""Failures by plan: data that says which call fails, when and how.

A fault is a dictionary:
  match  "ec2.CreateVpc", a pattern ("ec2.*", "*", "write", "read"), or a number N: the Nth
         write call since the plan was set (1 is the first)
  nth    only the nth call that matches (1 is the first); default: every one
  times  how often it may strike; default 1, with rate unlimited
  rate   strike with this probability (seeded by the setting `seed`)
  when   "before" (the call has no effect) or "after" (it took effect, the answer is lost)
  what   "drop" (connection closed), "500", "503", "throttle", "kill", or an AWS error code
  pid    for kill over HTTP: the process to kill; default the one that sent the request
"""

import fnmatch
import random

from lab.errors import Drop, Killed, Refusal

WHAT = {"drop", "500", "503", "throttle", "kill"}
KEYS = {"match", "nth", "times", "rate", "when", "what", "pid", "message"}


class Plan:
    def __init__(self, faults, seed):
        self.faults = [checked(dict(fault)) for fault in faults]
        self.random = random.Random(seed)
        self.seen = [0] * len(self.faults)
        self.struck = [0] * len(self.faults)
        self.write_calls = 0

    def __bool__(self):
        return bool(self.faults)

    def choose(self, call, write):
        """The fault that hits this call, or None. To be asked once a call."""
        self.write_calls += write
        chosen = None
        for number, fault in enumerate(self.faults):
            if not self.matches(fault, call, write):
                continue
            self.seen[number] += 1
            if chosen is None and self.strikes(number, fault):
                self.struck[number] += 1
                chosen = fault
        return chosen

    def matches(self, fault, call, write):
        match = fault["match"]
        if isinstance(match, int):
            return write and self.write_calls == match
        if match in ("write", "read"):
            return write == (match == "write")
        return fnmatch.fnmatchcase(call.name, match)

    def strikes(self, number, fault):
        if self.struck[number] >= fault["times"]:
            return False
        if "nth" in fault and self.seen[number] != fault["nth"]:
            return False
        return "rate" not in fault or self.random.random() < fault["rate"]


def checked(fault):
    unknown = set(fault) - KEYS
    if unknown:
        raise ValueError(f"unknown key in fault: {', '.join(sorted(unknown))}")
    fault.setdefault("match", "*")
    fault.setdefault("when", "before")
    fault.setdefault("times", float("inf") if "rate" in fault else 1)
    fault["what"] = str(fault.get("what", "drop"))
    if fault["when"] not in ("before", "after"):
        raise ValueError(f"a fault strikes before or after, not {fault['when']!r}")
    return fault


def strike(call, fault):
    """Raise what the fault asks for."""
    what = fault["what"]
    if what == "drop":
        raise Drop(call.name)
    if what == "kill":
        raise Killed(call.name, fault.get("pid"))
    if what == "throttle":
        raise throttled(call)
    if what in ("500", "503"):
        code = "InternalError" if what == "500" else "ServiceUnavailable"
        raise Refusal(code, "injected by the lab", int(what))
    raise Refusal(what, fault.get("message", "injected by the lab"))


# Source: "Request throttling" of the EC2 developer guide; Common Errors of the others.
THROTTLE_CODES = {
    "ec2": ("RequestLimitExceeded", 503, "Request limit exceeded."),
    "s3": ("SlowDown", 503, "Please reduce your request rate."),
    "query": ("Throttling", 400, "Rate exceeded"),
    "json": ("ThrottlingException", 400, "Rate exceeded"),
    "rest-json": ("ThrottlingException", 429, "Rate exceeded"),
}


def throttled(call):
    protocol = call.model.service_model.protocol
    row = THROTTLE_CODES.get(call.service) or THROTTLE_CODES.get(protocol)
    code, status, text = row or THROTTLE_CODES["json"]
    return Refusal(code, text, status)
