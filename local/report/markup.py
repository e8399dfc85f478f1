"""Markup: elements whose text is always escaped. What is no Markup is text, whoever wrote it."""

from html import escape
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

_VOID = frozenset({"meta", "rect", "line"})
"""Elements that have no content and no end tag."""


class Markup(str):
    """Text that is HTML already, made by `tag` from escaped parts."""

    __slots__ = ()


Content: TypeAlias = "str | int | Markup | Iterable[Content]"


def tag(name: str, /, *content: Content, **attributes: str | int) -> Markup:
    """Return an element. Attribute names are written with `_` for `-`; a trailing `_` is left out: `class_`, `aria_label`."""
    written = "".join(
        f' {attribute.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for attribute, value in attributes.items()
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>" if name == "meta" else f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{joined(content)}</{name}>")


def joined(content: Content) -> Markup:
    """Return content as markup, each text escaped."""
    if isinstance(content, Markup):
        return content
    if isinstance(content, str | int):
        return Markup(escape(str(content)))
    return Markup("".join(joined(each) for each in content))
