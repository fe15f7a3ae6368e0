"""Programs in a real cluster that make objects in the account, and remove them again: the AWS Load
Balancer Controller, the EBS CSI driver, Karpenter, and the cloud controller manager of EKS itself.

All but the last work only while they run: while a Deployment with their label has ready replicas,
or, for the driver, while its add-on is ACTIVE. Without them their finalizers stay, as in life.
"""

import sys
import threading
import time
import traceback
from contextlib import contextmanager

from lab.errors import Refusal
from lab.kube.api import ApiError

LOOK_SECONDS = 0.3
# The label of their charts: helm/aws-load-balancer-controller/templates/_helpers.tpl,
# charts/aws-ebs-csi-driver/templates/_helpers.tpl of their repositories.
LABEL = "app.kubernetes.io/name"
PROGRAMS = []  # filled by the decorator


class Ended(OSError):
    """The cluster is no more."""


def program(cls):
    """The class is one of the programs."""
    PROGRAMS.append(cls)
    return cls


class Program:
    """One of them in one cluster. `name` is the value of its label."""

    name = addon = ""

    def __init__(self, call, cluster, plane):
        self.call, self.cluster, self.plane, self.api = call, cluster, plane, plane.api

    def runs(self, deployments):
        """Has it a pod that works?"""
        self.deployment = deployments.get(self.name)
        found = self.installed()
        return bool(self.deployment or found and found["status"] == "ACTIVE")

    def installed(self):
        """Its add-on."""
        return self.call.store.table("eks.addon").get((self.cluster["name"], self.addon))

    def arguments(self):
        """What its Deployment starts it with."""
        containers = self.deployment["spec"]["template"]["spec"]["containers"]
        return [word for each in containers for word in each.get("args", ())]

    def rest(self):
        """It does not run."""

    @contextmanager
    def account(self):
        """The lab's lock, while objects of the account change."""
        with self.call.lab.lock:
            if self.plane.stopped:
                raise Ended(self.cluster["name"])
            yield

    def listed(self, path, **query):
        return self.api.get(path, **query)["items"]

    def finalizers(self, path, found):
        """Writes the finalizers of the object at a path."""
        self.api.patch(path, {"metadata": {"finalizers": found or None}})


def watch(call, cluster, plane):
    """Let the programs work from now until the control plane stops."""
    threading.Thread(target=run, args=(call, cluster, plane), daemon=True,
                     name=f"controllers of {cluster['name']}").start()


def run(call, cluster, plane):
    while not plane.ready.wait(LOOK_SECONDS):
        if plane.stopped or plane.error:
            return
    programs = [cls(call, cluster, plane) for cls in PROGRAMS]
    while not plane.stopped:
        try:
            deployments = ready(plane.api)
            for each in programs:
                each.look() if each.runs(deployments) else each.rest()
        except (ApiError, OSError, Refusal):
            pass  # somebody was faster, or the server is away: the next look tells
        except Exception:
            traceback.print_exc(file=sys.stderr)
        time.sleep(LOOK_SECONDS)


def ready(api):
    """Label -> Deployment, of those that have ready replicas."""
    found = api.get("/apis/apps/v1/deployments", labelSelector=LABEL)["items"]
    return {item["metadata"]["labels"][LABEL]: item for item in found
            if item["status"].get("readyReplicas")}
