"""How the lab says no: refusals in the service's own form, and cut connections."""

from moto.core.exceptions import ServiceException


class Refusal(ServiceException):
    """An AWS error answer. `status` is only needed where the service model has no shape for it."""

    def __init__(self, code, message, status=None, **members):
        super().__init__(code, message)
        self.status = status
        for name, value in members.items():
            setattr(self, name, value)


class Drop(Exception):
    """The connection is cut: the caller gets no answer."""


class Killed(BaseException):
    """The caller's process dies here. Not an Exception: nothing may catch it by accident."""
