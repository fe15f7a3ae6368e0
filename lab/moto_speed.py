"""Three places where moto spends half of its time, done faster. Answers stay the same."""

import functools
from xml.sax.saxutils import escape, quoteattr

import moto.core.responses
import moto.core.serialize

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'


def write_xml(value, full_document=True, **_options):
    """xmltodict.unparse for what moto's serializers make: no namespaces, no comments."""
    parts = [HEAD] if full_document else []
    for name, item in value.items():
        element(parts.append, name, item)
    return "".join(parts)


def element(add, name, value):
    if isinstance(value, (list, tuple)):
        for item in value:
            element(add, name, item)
    elif isinstance(value, dict):
        branch(add, name, value)
    elif value is None or value == "":
        add(f"<{name}/>")
    else:
        text = ("true" if value else "false") if isinstance(value, bool) else str(value)
        add(f"<{name}>{escape(text)}</{name}>")


def branch(add, name, value):
    attributes = "".join(f" {key[1:]}={quoteattr(str(item))}" for key, item in value.items()
                         if key[0] == "@")
    children = [(key, item) for key, item in value.items() if key[0] not in "@#"]
    text = value.get("#text")
    if not children and not text:
        add(f"<{name}{attributes}/>")
        return
    add(f"<{name}{attributes}>")
    if text:
        add(escape(str(text)))
    for key, item in children:
        element(add, key, item)
    add(f"</{name}>")


class Writer:
    """Stands where moto's serializers look for xmltodict."""

    unparse = staticmethod(write_xml)


_possible_keys = moto.core.serialize.XFormedAttributePicker.get_possible_keys
KEYS = {}


def known_keys(picker, context):
    """The names an attribute may have depend on classes and shapes only, not on the object."""
    shape, parent = context.shape, getattr(context.shape, "parent", None)
    place = (type(context.obj), context.key, shape.name, shape.serialization.get("name"),
             parent and parent.name, context.service_model.service_name)
    names = KEYS.get(place)
    if names is None:
        names = KEYS[place] = tuple(dict.fromkeys(_possible_keys(picker, context)))
    return names


def install():
    """Put them in moto's places."""
    moto.core.serialize.XFormedAttributePicker.get_possible_keys = known_keys
    moto.core.serialize.xmltodict = Writer
    moto.core.responses.method_names_from_class = functools.cache(
        moto.core.responses.method_names_from_class)
