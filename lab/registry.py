"""Where extensions hook in: a handler replaces an operation, a guard refuses before it,
an amendment changes its answer, an after acts on its success."""

import importlib
import pkgutil

HANDLERS = {}
GUARDS = {}
AMENDMENTS = {}
AFTERS = {}


def handler(service, *operations):
    """The decorated function(call) -> result is the whole operation."""

    def register(function):
        for name in operations:
            HANDLERS[service, name] = function
        return function

    return register


def guard(service, *operations):
    """The decorated function(call) raises Refusal, or lets the operation go on."""

    def register(function):
        for name in operations:
            GUARDS.setdefault((service, name), []).append(function)
        return function

    return register


def amend(service, *operations):
    """The decorated function(call, result) changes the parsed answer in place."""

    def register(function):
        for name in operations:
            AMENDMENTS.setdefault((service, name), []).append(function)
        return function

    return register


def after(service, *operations):
    """The decorated function(call) runs once the operation has succeeded."""

    def register(function):
        for name in operations:
            AFTERS.setdefault((service, name), []).append(function)
        return function

    return register


def load_extensions():
    package = importlib.import_module("lab.extensions")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"lab.extensions.{module.name}")
