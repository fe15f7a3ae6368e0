# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rehearsal of a plan: the first call of each change, held against the model of its API."""
from __future__ import annotations

import functools
from dataclasses import replace

from ..engine.plan import Change, Plan
from ..engine.resource import Unknown, unknown_keys
from .aws import Service
from .shapes import Checker, Violation

STAND_IN = str(Unknown(("",)))[:-1]  # how a value begins that is not known yet


class Told(Exception):
    """The call that a change begins with; without a model it is a read of several pages."""

    def __init__(self, service: str = "", model=None, params=None):
        self.service, self.model, self.params = service, model, params
        super().__init__(service)


class Stage:
    """AWS as the types see it, but for the calls: the first one is told and not made."""

    def __init__(self, api):
        self._api = api

    def __getattr__(self, name: str):
        found = getattr(self._api, name)
        return Tongue(name, found) if isinstance(found, Service) else found

    def pages(self, *_given, **_more):
        """A read: what comes after it cannot be told."""
        raise Told


class Tongue:
    """A service on the stage."""

    def __init__(self, name: str, service: Service):
        self._name, self._meta = name, service.meta

    def __getattr__(self, method: str):
        operation = self._meta.method_to_api_mapping[method]

        def tell(**params):
            raise Told(self._name, self._meta.service_model.operation_model(operation), params)

        return tell


class Blank(dict):
    """A live object that is still to be made."""

    def __missing__(self, name):
        return f"{STAND_IN}{name})"


class Known(Checker):
    """Leaves out what is not known yet."""

    def check(self, shape, value, path=""):
        if not (isinstance(value, str) and STAND_IN in value):
            super().check(shape, value, path)


def violations(api, plan: Plan) -> list[tuple[str, Violation]]:
    """(key, violation) of each value that the API of a change would not take."""
    return [(change.key, found) for change in plan.changes if change.action not in (
        "keep", "delete") for found in _of(change, Stage(api))]


def _of(change: Change, stage: Stage) -> list[Violation]:
    """The violations of one change."""
    wanted, calls, found = change.resource, [], []
    values = {name: _stood_in(getattr(wanted, name)) for name in wanted.attrs}
    wanted = replace(wanted, **{**values, **dict.fromkeys(wanted.unrehearsed)})
    names, live = change.changed, change.live
    if change.action != "update":
        calls, live = [wanted.create], Blank()
        names = [n for n, a in wanted.attrs.items() if a.later and getattr(wanted, n) is not None]
    methods = dict.fromkeys(wanted.updaters[n] for n in names if n in wanted.updaters)
    calls += [functools.partial(method, wanted, live=live) for method in methods]
    for call in calls:
        try:
            call(api=stage)
        except Told as told:
            found += _refused(told) if told.model else []
        except (TypeError, ValueError, AttributeError, LookupError):
            if change.action == "update" and not unknown_keys(vars(change.resource)):
                raise  # else what is not known yet is of another form than its stand-in
    return found


def _refused(told: Told) -> list[Violation]:
    """What the model of its API does not allow of a call."""
    checker = Known(told.service)
    checker.check(told.model.input_shape, told.params)
    return checker.found


def _stood_in(value):
    """The value with a text for whatever is not known yet."""
    if isinstance(value, dict):
        return {name: _stood_in(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_stood_in(item) for item in value]
    return str(value) if isinstance(value, Unknown) else value
