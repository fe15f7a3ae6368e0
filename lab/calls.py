"""What was asked of the lab, in order."""

from collections import Counter

READS = ("Describe", "List", "Get", "Head", "BatchGet", "BatchCheck", "Lookup", "Search",
         "Select", "Simulate", "Validate", "Decode", "Filter", "AssumeRole", "Query", "Scan")
# Reads by what they do, not by their name.
READ_OPERATIONS = {"kms.Encrypt", "kms.Decrypt", "kms.GenerateDataKey"}
# Writes that a read's name hides.
WRITE_OPERATIONS = set()


def is_write(name):
    operation = name.split(".", 1)[-1]
    if name in WRITE_OPERATIONS:
        return True
    return not (operation.startswith(READS) or name in READ_OPERATIONS)


class Calls:
    def __init__(self):
        self.clear()

    def clear(self):
        self.log = []

    def add(self, call, write, answer):
        entry = {"n": len(self.log) + 1, "name": call.name, "write": write,
                 "account": call.account, "region": call.region,
                 "ok": answer is not None and answer.status < 400,
                 "status": answer.status if answer else None}
        self.log.append(entry)
        return entry

    @property
    def names(self):
        return [entry["name"] for entry in self.log]

    @property
    def count(self):
        return Counter(self.names)

    @property
    def reads(self):
        return [entry["name"] for entry in self.log if not entry["write"]]

    @property
    def writes(self):
        return [entry["name"] for entry in self.log if entry["write"]]

    def summary(self):
        return {"calls": len(self.log), "reads": len(self.reads), "writes": len(self.writes),
                "failed": sum(not entry["ok"] for entry in self.log),
                "count": dict(self.count)}
