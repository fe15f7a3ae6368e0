# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One token bucket per API action, with the rates that AWS publishes."""
from __future__ import annotations

import re
import threading

# (pattern of service.Operation, bucket size, tokens per second); first match wins.
# EC2: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
# ELB: https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
# RDS: 300 burst and 12/s for all calls of an account together.
# IAM, EKS, ElastiCache and others publish no rate: a careful 10/s with a burst of 50.
RATES = (
    (r"ec2\.(Create|Modify|Delete)VpcEndpoints?$", 4, 0.3),
    (r"ec2\.(Create|Delete)NatGateway$", 10, 1),
    (r"ec2\.(Create|Delete)Tags$", 100, 10),
    (r"ec2\.(Describe|Get)", 100, 20),
    (r"ec2\.", 50, 5),
    (r"elbv2\.Describe", 40, 10),
    (r"rds\.", 300, 12),
    (r"s3\.", 1000, 100),
    (r"", 50, 10),
)
SHARED = {"rds": "rds"}  # services whose operations share one bucket


class Throttle:
    """Makes callers wait instead of being refused."""

    def __init__(self, clock):
        self.clock, self._lock = clock, threading.Lock()
        self._buckets = {}  # action -> [size, rate, tokens, since]

    def wait(self, service: str, operation: str) -> None:
        """Takes one token for an action, sleeping until there is one."""
        action = f"{service}.{operation}"
        with self._lock:
            bucket = self._bucket(SHARED.get(service, action), action)
            now = self.clock.now()
            bucket[2] = min(bucket[0], bucket[2] + (now - bucket[3]) * bucket[1])
            bucket[3] = now
            bucket[2] -= 1
            pause = -bucket[2] / bucket[1] if bucket[2] < 0 else 0
        if pause:
            self.clock.sleep(pause)

    def _bucket(self, name: str, action: str) -> list:
        if name not in self._buckets:
            size, rate = next((s, r) for p, s, r in RATES if re.match(p, action))
            self._buckets[name] = [size, rate, size, self.clock.now()]
        return self._buckets[name]
