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

from ..engine.errors import Ambiguous, Denied, Exists, Failure, NotFound, ServiceFailure

MINUTES = 10  # a lease that nobody renews for so long may be taken over
RENEW = 180.0  # seconds between two renewals; after one that failed, a sixth of it
LAST = 80.0  # seconds that one call may take; with less left, renewing can only come too late
TICK = 1.0  # seconds between two looks at the clock, which goes on while the machine sleeps
TRIES = 6  # over about 12 seconds
REFUSED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class Held(Failure):
    """Somebody else changes the stack right now."""


def process() -> dict:
    """Who this is: enough to know later whether the process still runs."""
    pid = os.getpid()
    return {"host": platform.node(), "boot": _boot(), "space": _space(), "pid": pid,
            "started": _started(pid), "who": _user()}


def _user() -> str:
    """The user's name, or the number of one who has no name, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"user {os.getuid()}"


def _started(pid: int) -> str:
    """Start time of a process in clock ticks, so that a reused pid is told apart."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[19]
    except OSError:
        return ""


def _boot() -> str:
    """A random name of this boot of the machine: others may share its host name.

    https://docs.kernel.org/admin-guide/sysctl/kernel.html#random
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as name:
            return name.read().strip()
    except OSError:
        return ""


def _space() -> str:
    """The process namespace: containers of one machine do not share it."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def ended(holder: dict) -> bool:
    """Whether the holder was a process of this machine that no longer runs."""
    here, pid = process(), holder.get("pid")
    same = all(here[n] and holder.get(n) == here[n] for n in ("host", "boot", "space"))
    if not same or not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return _started(pid) != holder.get("started")


def _expiry(holder: dict) -> datetime.datetime | None:
    """When a lease ends, or None when its record does not say so."""
    try:
        until = datetime.datetime.fromisoformat(holder["until"])
    except (KeyError, TypeError, ValueError):
        return None
    return until if until.tzinfo else until.replace(tzinfo=datetime.timezone.utc)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


class Bucket:
    """Keeps a lease as an S3 object written with If-None-Match.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """

    def __init__(self, api, bucket: str, name: str, owner: str = ""):
        """`owner`: the account that the bucket must belong to; empty: whoever it belongs to."""
        self.api, self.bucket, self.key = api, bucket, f"leases/{name}.json"
        self._owner = {"ExpectedBucketOwner": owner} if owner else {}

    def read(self) -> tuple:
        """(holder, mark of this state); (None, None) when there is none.

        A record that cannot be read is an empty holder.
        """
        try:
            answer = self.api.s3.get_object(Bucket=self.bucket, Key=self.key, **self._owner)
        except NotFound as missing:
            if missing.code == "NoSuchBucket":
                self._make_bucket()
            return None, None
        except Denied as denied:
            raise self._foreign(denied) from None
        try:
            holder = json.loads(answer["Body"].read())
        except ValueError:
            holder = {}
        return holder if isinstance(holder, dict) else {}, answer["ETag"]

    def write(self, holder: dict, mark):
        """The mark of the state that is written, or None when it is not the marked one before."""
        condition = {"IfMatch": mark} if mark else {"IfNoneMatch": "*"}
        try:
            return self.api.s3.put_object(
                Bucket=self.bucket, Key=self.key, Body=json.dumps(holder).encode(), **condition,
                **self._owner)["ETag"]
        except ServiceFailure as failure:
            if failure.code in REFUSED:
                return None
            raise

    def remove(self, _mark) -> None:
        """Takes it away."""
        self.api.s3.delete_object(Bucket=self.bucket, Key=self.key, **self._owner)

    def _foreign(self, denied: Denied) -> Denied:
        """The refusal, with what to do where the name of the bucket is the default one."""
        account = self._owner.get("ExpectedBucketOwner")
        hint = f"; is it of account {account}? If not, set lease_bucket" if account else ""
        return Denied(denied.code, f"lease bucket {self.bucket}: {denied.text}{hint}",
                      denied.operation)

    def _make_bucket(self) -> None:
        """The account's bucket for leases, made by whoever needs the first one."""
        region = self.api.region
        place = {} if region == "us-east-1" else \
            {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self.api.s3.create_bucket(Bucket=self.bucket, **place)
        except Exists:
            pass  # another run was faster, or another account has the name
        try:
            self.api.s3.put_public_access_block(
                Bucket=self.bucket, **self._owner, PublicAccessBlockConfiguration={
                    "BlockPublicAcls": True, "IgnorePublicAcls": True,
                    "BlockPublicPolicy": True, "RestrictPublicBuckets": True})
        except Denied as denied:
            raise self._foreign(denied) from None


class Lease:
    """Held while a stack or a set is changed; renewed in the background; given back at the end."""

    def __init__(self, store, name: str, clock, takeover: bool = False):
        self.store, self.name, self.clock, self.takeover = store, name, clock, takeover
        self.lost, self.stop = "", threading.Event()  # why it is no longer ours; set by then
        self._token, self._mark, self._until = uuid.uuid4().hex, None, _now()
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
        if self._ours(holder, mark):  # the answer to our own write was lost
            return True
        until = _expiry(holder)
        if not (self.takeover or until and until < _now() or ended(holder)):
            raise Held(f"lease {self.name}: {self._held(holder, until)}, or take it over with "
                       "-e lease_takeover=true when you know that run is dead")
        return self._put(mark)

    @staticmethod
    def _held(holder: dict, until: datetime.datetime | None) -> str:
        if not until:
            return "held by unknown, its record cannot be read; find who runs"
        who, host, pid = (holder.get(name, "unknown") for name in ("who", "host", "pid"))
        return f"held by {who} on {host} (process {pid}) until {until:%Y-%m-%dT%H:%M:%S}Z; wait"

    def _put(self, mark) -> bool:
        """Writes the lease; False when its state is no longer the marked one."""
        until = _now() + datetime.timedelta(minutes=MINUTES)
        written = self.store.write({**process(), "token": self._token,
                                    "until": until.isoformat()}, mark)
        if written:
            self._mark, self._until = written, until
        return bool(written)

    def _renew(self) -> None:
        """Until the end, or until the lease is lost: taken over, or not renewed in time."""
        due = self._until - datetime.timedelta(minutes=MINUTES, seconds=-RENEW)
        while not (self._end.wait(min(TICK, RENEW)) or self.lost):
            now = _now()
            if (self._until - now).total_seconds() < LAST:
                self._lose(f"not renewed before {self._until:%H:%M:%S}Z")
            elif now >= due:
                held = self._renewed()
                if held is False:
                    self._lose("taken over by somebody else")
                due = now + datetime.timedelta(seconds=RENEW if held else RENEW / 6)

    def _renewed(self) -> bool | None:
        """One renewal; None when it failed and the next may succeed."""
        try:
            return self._put(self._mark) or self._ours(*self.store.read())
        except NotFound:
            return False
        except Exception:  # pylint: disable=broad-except  # whatever it is, the clock goes on
            return None

    def _lose(self, why: str) -> None:
        self.lost = f"lease {self.name}: {why}; what was begun may go on in AWS, the rest was " \
            "not begun"
        self.stop.set()

    def _ours(self, holder: dict | None, mark) -> bool:
        """Whether what was read is our own lease, which then is known again."""
        until = _expiry(holder) if holder and holder.get("token") == self._token else None
        if until:
            self._mark, self._until = mark, until
        return bool(until)

    def release(self) -> None:
        """Gives the lease back; one that was taken over is left alone."""
        self._end.set()
        try:
            holder, mark = self.store.read()
            if holder and holder.get("token") == self._token:
                self.store.remove(mark)
        except ServiceFailure:
            pass  # it expires by itself
