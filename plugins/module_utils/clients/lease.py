# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lock of a stack or a set: a record written on a condition, so that one writer wins."""
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


class Bucket:
    """Keeps a lease as an S3 object written with If-None-Match.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """

    def __init__(self, api, bucket: str, name: str):
        self.api, self.bucket, self.key = api, bucket, f"leases/{name}.json"

    def read(self) -> tuple:
        """(holder, mark of this state); (None, None) when there is none."""
        try:
            answer = self.api.s3.get_object(Bucket=self.bucket, Key=self.key)
        except NotFound as missing:
            if missing.code == "NoSuchBucket":
                self._make_bucket()
            return None, None
        return json.loads(answer["Body"].read()), answer["ETag"]

    def write(self, holder: dict, mark):
        """The mark of the state that is written, or None when it is not the marked one before."""
        condition = {"IfMatch": mark} if mark else {"IfNoneMatch": "*"}
        try:
            return self.api.s3.put_object(Bucket=self.bucket, Key=self.key,
                                          Body=json.dumps(holder).encode(), **condition)["ETag"]
        except ServiceFailure as failure:
            if failure.code in REFUSED:
                return None
            raise

    def remove(self, _mark) -> None:
        """Takes it away."""
        self.api.s3.delete_object(Bucket=self.bucket, Key=self.key)

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


class Lease:
    """Held while a stack or a set is changed; renewed in the background; given back at the end."""

    def __init__(self, store, name: str, clock, takeover: bool = False):
        self.store, self.name, self.clock, self.takeover = store, name, clock, takeover
        self.lost = lambda reason: None  # called when somebody else took it over
        self._token, self._mark = uuid.uuid4().hex, None
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
            self.clock.sleep(0.2 * 2 ** turn)
        raise Held(f"lease {self.name}: others take it all the time; try again")

    def _try(self) -> bool:
        """One try: True when the lease is ours, False when somebody was faster."""
        holder, mark = self.store.read()
        if holder is None:
            return self._put(None)
        if holder["token"] == self._token:  # our own, its answer was lost
            self._mark = mark
            return True
        now = datetime.datetime.now(datetime.timezone.utc)
        expired = datetime.datetime.fromisoformat(holder["until"]) < now
        if not (self.takeover or expired or ended(holder)):
            raise Held(
                f"lease {self.name}: held by {holder['who']} on {holder['host']} (process "
                f"{holder['pid']}) until {holder['until'][:19]}Z; wait, or take it over with "
                "-e lease_takeover=true when you know that run is dead")
        return self._put(mark)

    def _put(self, mark) -> bool:
        """Writes the lease; False when its state is no longer the marked one."""
        now = datetime.datetime.now(datetime.timezone.utc)
        until = now + datetime.timedelta(minutes=MINUTES)
        written = self.store.write({**process(), "who": getpass.getuser(), "token": self._token,
                                    "until": until.isoformat()}, mark)
        self._mark = written or self._mark
        return bool(written)

    def _renew(self) -> None:
        while not self._end.wait(RENEW):
            try:
                held = self._put(self._mark) or self._still_ours()
            except NotFound:
                held = False
            except ServiceFailure:
                continue  # the lease lives on until it expires; the next turn tries again
            if not held:
                self.lost(Lost(f"lease {self.name}: taken over by somebody else"))
                return

    def _still_ours(self) -> bool:
        """Whether a renewal was refused because an earlier one, without answer, was done."""
        holder, self._mark = self.store.read()
        return bool(holder) and holder["token"] == self._token

    def release(self) -> None:
        """Gives the lease back; one that was taken over is left alone."""
        self._end.set()
        try:
            holder, mark = self.store.read()
            if holder and holder["token"] == self._token:
                self.store.remove(mark)
        except ServiceFailure:
            pass  # it expires by itself
