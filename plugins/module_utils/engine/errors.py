# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One class per kind of failure. Clients translate what a service answers into these."""
from __future__ import annotations


class Failure(Exception):
    """Something that a user must read; `str()` is the whole message, one or two lines."""


class ServiceFailure(Failure):
    """What a service answered: its code, its text and the operation that was called."""

    def __init__(self, code: str, text: str = "", operation: str = ""):
        self.code, self.text, self.operation = code, text, operation
        super().__init__(f"{code} {text}".strip() + (f" ({operation})" if operation else ""))


class Ambiguous(ServiceFailure):
    """No usable answer came: the call may or may not have had its effect."""


class Throttled(ServiceFailure):
    """Refused for its rate; the call had no effect."""


class NotFound(ServiceFailure):
    """The object, or one it refers to, is not there."""


class Exists(ServiceFailure):
    """An object of that name or identity is already there."""


class Busy(ServiceFailure):
    """Refused because of the state of the object or of what still depends on it."""


class Denied(ServiceFailure):
    """The caller may not do this."""


class Credentials(ServiceFailure):
    """No credentials, or credentials that are not accepted."""


class Quota(ServiceFailure):
    """A quota of the account is used up."""


class Unreachable(ServiceFailure):
    """No connection could be made; the call had no effect."""


class Refused(Failure):
    """The plan asks for something that nobody allowed; `problems` lists all of it."""

    def __init__(self, problems: list[str]):
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))
