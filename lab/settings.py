"""What can be set on a lab; all data, so that it travels as JSON."""

import dataclasses
from dataclasses import dataclass, field


@dataclass
class Settings:
    latency_ms: float = 0          # added to every call, outside any lock
    throttle: bool = False         # published token buckets (data/rates.json)
    rates: dict = field(default_factory=dict)        # overrides: "ec2.CreateVpc": [burst, refill]
    visibility_ms: float = 0       # new objects are missing from answers that long
    visibility_writes: bool = False  # writes do not know new objects either
    time_scale: float = 0          # 1 = AWS's real durations (data/durations.json), 0 = at once
    durations: dict = field(default_factory=dict)    # overrides in seconds, before time_scale
    role_delay_ms: float = 0       # a new IAM role cannot be assumed by a service that long
    quotas: dict = field(default_factory=dict)       # overrides of data/quotas.json
    deny: dict = field(default_factory=dict)         # access key or "*" -> ["ec2:CreateVpc", ...]
    addons_need_nodes: bool = True  # add-ons with replicas stay DEGRADED until nodes come
    validate: bool = True          # check requests against botocore's models
    faults: list = field(default_factory=list)       # see lab/faults.py
    seed: int = 0                  # of random faults
    kubernetes: bool = False       # a real control plane behind every EKS cluster (lab/kube)
    postgresql: bool = False       # a real server behind every Aurora cluster (lab/postgresql.py)
    update_errors: dict = field(default_factory=dict)  # "eks.cluster.version_update": [code, text]
    eviction_seconds: float = 10   # how long pods may refuse to leave a node (AWS: 15 minutes)
    karpenter_time_scale: float = 0.01  # of the time that an empty node stays (300 s: 3 s)
    today: str = ""                # the day the EKS calendar is read at; default: the table's own

    @classmethod
    def of(cls, values):
        if isinstance(values, cls):
            return values
        return cls().changed(values or {})

    def changed(self, values):
        known = {item.name for item in dataclasses.fields(self)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"unknown lab setting {', '.join(unknown)}; known: "
                             f"{', '.join(sorted(known))}")
        return dataclasses.replace(self, **values)

    def as_dict(self):
        return dataclasses.asdict(self)
