"""The base of payload models, and the field types that every provider needs.

A model is strict (no text is taken for a number), reads only what is used and ignores the rest, so that a new field of
a provider breaks nothing. Personal fields are not in any model: what is not read cannot leak.
"""

from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from shared.domain.errors import Quarantine, UnreadableError
from shared.providers.toolkit.values import instant_ms


class Payload(BaseModel):
    """A part of a provider's payload."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


_ID_PATTERN = r"^[^/\p{C}]*$"
_ID_LENGTH_MAX = 128
"""Beside the pattern, not in it: a pattern that counts to 128 takes six times as long."""

Id = Annotated[str, StringConstraints(pattern=_ID_PATTERN, min_length=1, max_length=_ID_LENGTH_MAX)]
"""The identity of a thing. It becomes part of document keys and paths: no slash, no control or invisible character."""

LinkId = Annotated[str, StringConstraints(pattern=_ID_PATTERN, max_length=_ID_LENGTH_MAX)]
"""The identity of another thing; empty where there is none."""

_AMOUNT_MAX = 10**24


Amount = int | Annotated[Decimal, Field(ge=-_AMOUNT_MAX, le=_AMOUNT_MAX)]
"""A JSON number of money as it stands; its scale is named where it is read. The bound keeps 1e999999999 from being expanded."""

EpochSeconds = Annotated[int, Field(ge=0, le=10**11)]
"""Seconds since the epoch; beyond the bound (the year 5138) they would be milliseconds misread."""

Count = Annotated[int, Field(ge=0, le=10**9)]
"""How many of something."""


def _instant(value: object) -> object:
    if isinstance(value, str):
        return instant_ms(value) if value else None
    return value if value is None else _not_an_instant(value)


def _not_an_instant(value: object) -> object:
    msg = f"an instant is text, not {type(value).__name__}"
    raise ValueError(msg)


InstantMs = Annotated[int | None, BeforeValidator(_instant)]
"""An instant given as ISO 8601 text with an offset, in milliseconds since the epoch; empty text is no instant."""

_ID = TypeAdapter[str](Id)


def require_id(value: object, name: str) -> str:
    """Return an identity that is no part of a model, such as a header; raise UnreadableError(missing_field, wrong_type)."""
    if value is None:
        raise UnreadableError(Quarantine.MISSING_FIELD, f"{name} is missing")
    try:
        return _ID.validate_python(value, strict=True)
    except ValidationError:
        raise UnreadableError(Quarantine.WRONG_TYPE, f"{name} is no identity") from None


P = TypeVar("P", bound=BaseModel)


def read_as(model: type[P], content: Any) -> P:
    """Return content as a model.

    Raises UnreadableError (`missing_field`, `wrong_type`) that names the first field at fault, never its value.
    """
    try:
        return model.model_validate(content)
    except ValidationError as invalid:
        fault = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join(str(part) for part in fault["loc"]) or "the body"
    if fault["type"] == "missing":
        raise UnreadableError(Quarantine.MISSING_FIELD, f"{model.__name__} without {path}")
    raise UnreadableError(
        Quarantine.WRONG_TYPE, f"{model.__name__}.{path} is not as its contract says ({fault['type']})"
    )
