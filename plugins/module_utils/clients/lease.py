# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lock of a stack: an S3 object written with If-None-Match, so that exactly one writer wins.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""
from __future__ import annotations

import datetime
import getpass
import json
import os
import platform
import threading
import uuid

from ..engine.errors import Ambiguous, Exists, Failure, Lost, NotFound, ServiceFailure

MINUTES = 10  # a lease that nobody renews for so long may be taken over
RENEW = 180.0  # seconds between two renewals
TRIES = 6  # over about 12 seconds
REFUSED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class Held(Failure):
    """Somebody else changes the stack right now."""


def process() -> dict:
    """Who this is: enough to know later whether the process still runs."""
    pid = os.getpid()
    return {"host": platform.node(), "pid": pid, "started": _started(pid), "space": _space()}


def _started(pid: int) -> str:
    """Start time of a process in clock ticks, so that a reused pid is told apart."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[19]
    except OSError:
        return ""


def _space() -> str:
    """The process namespace: containers share host names, never this."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def ended(holder: dict) -> bool:
    """Whether the holder was a process of this machine that no longer runs."""
    here = process()
    if holder.get("host") != here["host"] or holder.get("space") != here["space"]:
        return False
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _started(holder["pid"]) != holder["started"]


class Lease:
    """Held while a stack is changed; renewed in the background; given back at the end."""

    def __init__(self, api, bucket: str, stack: str, takeover: bool = False):
        self.api, self.bucket, self.key = api, bucket, f"leases/{stack}.json"
        self.stack, self.takeover = stack, takeover
        self.lost = lambda reason: None  # called when somebody else took it over
        self._token, self._etag = uuid.uuid4().hex, None
        self._end = threading.Event()
        self._renewer = threading.Thread(target=self._renew, daemon=True)

    def take(self) -> None:
        """Takes the lease or raises `Held` with the holder's name."""
        for turn in range(TRIES):
            try:
                if self._try():
                    self._renewer.start()
                    return
            except (Ambiguous, NotFound):
                # No answer, or a bucket that is not there for everybody yet: looking again is safe,
                # for the lease is ours only when it holds our token.
                if turn == TRIES - 1:
                    raise
            self.api.clock.sleep(0.2 * 2 ** turn)
        raise Held(f"lease {self.stack}: others take it all the time; try again")

    def _try(self) -> bool:
        """One try: True when the lease is ours, False when somebody was faster."""
        try:
            answer = self.api.s3.get_object(Bucket=self.bucket, Key=self.key)
        except NotFound as missing:
            if missing.code == "NoSuchBucket":
                self._make_bucket()
            return self._put(IfNoneMatch="*")
        holder = json.loads(answer["Body"].read())
        if holder["token"] == self._token:  # our own, its answer was lost
            self._etag = answer["ETag"]
            return True
        now = datetime.datetime.now(datetime.timezone.utc)
        expired = datetime.datetime.fromisoformat(holder["until"]) < now
        if not (self.takeover or expired or ended(holder)):
            raise Held(
                f"lease {self.stack}: held by {holder['who']} on {holder['host']} (process "
                f"{holder['pid']}) until {holder['until'][:19]}Z; wait, or take it over with "
                "-e lease_takeover=true when you know that run is dead")
        return self._put(IfMatch=answer["ETag"])

    def _put(self, **condition) -> bool:
        """Writes the lease; False when the condition no longer holds."""
        now = datetime.datetime.now(datetime.timezone.utc)
        until = now + datetime.timedelta(minutes=MINUTES)
        body = {**process(), "who": getpass.getuser(), "token": self._token,
                "until": until.isoformat()}
        try:
            answer = self.api.s3.put_object(Bucket=self.bucket, Key=self.key,
                                            Body=json.dumps(body).encode(), **condition)
        except ServiceFailure as failure:
            if failure.code in REFUSED:
                return False
            raise
        self._etag = answer["ETag"]
        return True

    def _make_bucket(self) -> None:
        """The account's bucket for leases, made by whoever needs the first one."""
        region = self.api.region
        place = {} if region == "us-east-1" else \
            {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self.api.s3.create_bucket(Bucket=self.bucket, **place)
        except Exists:
            pass  # another run was faster
        self.api.s3.put_public_access_block(
            Bucket=self.bucket, PublicAccessBlockConfiguration={
                "BlockPublicAcls": True, "IgnorePublicAcls": True,
                "BlockPublicPolicy": True, "RestrictPublicBuckets": True})

    def _renew(self) -> None:
        while not self._end.wait(RENEW):
            try:
                held = self._put(IfMatch=self._etag) or self._still_ours()
            except NotFound:
                held = False
            except ServiceFailure:
                continue  # the lease lives on until it expires; the next turn tries again
            if not held:
                self.lost(Lost(f"lease {self.stack}: taken over by somebody else"))
                return

    def _still_ours(self) -> bool:
        """Whether a renewal was refused because an earlier one, without answer, was done."""
        answer = self.api.s3.get_object(Bucket=self.bucket, Key=self.key)
        self._etag = answer["ETag"]
        return json.loads(answer["Body"].read())["token"] == self._token

    def release(self) -> None:
        """Gives the lease back; one that was taken over is left alone."""
        self._end.set()
        try:
            answer = self.api.s3.get_object(Bucket=self.bucket, Key=self.key)
            if json.loads(answer["Body"].read())["token"] == self._token:
                self.api.s3.delete_object(Bucket=self.bucket, Key=self.key)
        except ServiceFailure:
            pass  # it expires by itself
