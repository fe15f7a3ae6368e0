"""Everything the lab holds, from its own data, not from its answers: for tests that look for
orphans and duplicates. What AWS itself makes (default VPCs, main route tables, default groups,
its own policies and prefix lists, bookkeeping interfaces) is left out."""

import moto.backends

from lab.inventory_kinds import MOTO_KINDS, OWN_KINDS

GONE = {"deleted", "failed", "DELETING", "deleting", "PendingDeletion"}


def collect(lab, account=None, region=None):
    """kind -> [{id, account, region, arn, tags, parent, state, ...}]"""
    found = {}
    for kind, item in everything(lab):
        if account in (None, item["account"]) and region in (None, item["region"], "global"):
            found.setdefault(kind, []).append(item)
    return found


def everything(lab):
    for service, kinds in MOTO_KINDS.items():
        backends = moto.backends.get_backend(service)
        for account, where, backend in list(backends.iter_backends()):
            for kind, rows in kinds.items():
                for row in rows(backend):
                    yield kind, complete(row, account, "global" if where == "aws" else where)
    for (account, where), store in list(lab.stores.items()):
        for kind, describe in OWN_KINDS.items():
            for item in list(store.table(kind).values()):
                yield kind, complete(describe(item), account, where)


def complete(row, account, region):
    row = {"arn": None, "tags": {}, "parent": None, "state": None, **row}
    row["tags"] = dict(row["tags"] or {})
    return {**row, "account": account, "region": region, "gone": row["state"] in GONE}
