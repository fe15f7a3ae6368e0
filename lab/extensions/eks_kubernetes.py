"""The real control plane behind an EKS cluster, where the setting `kubernetes` asks for it."""

import base64
import sys
import threading
import traceback

from lab import kit
from lab.extensions.eks_callers import Gatekeeper
from lab.extensions.eks_controllers import watch
from lab.kube.api import ApiError
from lab.kube.fleet import Options

# Nobody is behind these: clusters without a control plane.
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nlab\n-----END CERTIFICATE-----\n"


class PodsStayed(Exception):
    """Pods did not leave: (nodes, text)."""


class Job:
    """Work in a cluster beside the requests, after the work before it. `errors` are those of
    API_ErrorDetail."""

    def __init__(self, work, before=None):
        self.errors, self.before = [], before
        self.thread = threading.Thread(target=self.run, args=(work,), daemon=True)
        self.thread.start()

    def run(self, work):
        if self.before:
            self.before.thread.join()
            self.before = None
        try:
            work()
        except PodsStayed as stayed:
            nodes, text = stayed.args
            self.fail("PodEvictionFailure", "Reached max retries while trying to evict pods from "
                      f"nodes in node group {text}", nodes)
        except (ApiError, OSError) as error:
            self.fail("ClusterUnreachable", str(error))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self.fail("Unknown", repr(error))

    def fail(self, code, text, ids=()):
        self.errors = [{"errorCode": code, "errorMessage": text, "resourceIds": list(ids)}]

    def ended(self):
        return not self.thread.is_alive()


def key_of(call, cluster):
    return call.account, call.region, cluster["name"]


def begin(call, cluster):
    """Start the control plane while the cluster is CREATING."""
    number, host = kit.hex_id(32).upper(), f"oidc.eks.{call.region}.amazonaws.com"
    cluster["_number"] = number
    if not call.lab.settings.kubernetes:
        return
    fleet, key = call.lab.fleet, key_of(call, cluster)
    gatekeeper = Gatekeeper(call.lab, call.store, cluster, lambda: fleet.get(key).api)
    options = Options(cluster["name"], cluster["version"],
                      cluster["kubernetesNetworkConfig"]["serviceIpv4Cidr"],
                      f"/{host}/id/{number}", call.lab.settings.karpenter_time_scale)
    watch(call, cluster, fleet.start(key, options, gatekeeper.webhooks()))


def plane_of(call, cluster):
    """The Cluster behind it, or None."""
    return call.lab.fleet.get(key_of(call, cluster))


def settled(call, cluster):
    """Has the start come to its end, good or bad?"""
    plane = plane_of(call, cluster)
    return plane is None or plane.ready.is_set() or plane.error is not None


def facts(call, cluster):
    """Endpoint, CA and OIDC issuer, as DescribeCluster tells them."""
    plane, region, number = plane_of(call, cluster), call.region, cluster["_number"]
    if plane:
        endpoint, issuer, authority = plane.endpoint, plane.issuer, plane.authority.encode()
    else:
        endpoint = f"https://{number}.gr7.{region}.eks.amazonaws.com"
        issuer = f"https://oidc.eks.{region}.amazonaws.com/id/{number}"
        authority = CERTIFICATE
    return {"endpoint": endpoint, "identity": {"oidc": {"issuer": issuer}},
            "certificateAuthority": {"data": base64.b64encode(authority).decode()}}


def upgrade(call, cluster, version):
    """The API server goes on as one of that version."""
    plane = plane_of(call, cluster)
    if plane:
        cluster["_job"] = Job(lambda: plane.upgrade(version))


def end(call, cluster):
    call.lab.fleet.stop(key_of(call, cluster))
