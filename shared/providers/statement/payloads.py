"""What a mapping declares: how the files of one bank or processor are written, and what their columns mean.

A mapping is a YAML file that people write and this module checks; the whole of it travels with each file that it is for.
"""

import json
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from shared.domain.errors import SettingsError
from shared.domain.money import CURRENCY_DECIMALS

HEADER = "mapping"
"""The header of a delivery that holds its mapping."""
MAPPING_BYTES_MAX = 3_500
"""The longest mapping in its canonical form: it travels as metadata of the raw object, of which there are 8 KiB."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")]
HeaderNames = Annotated[tuple[str, ...], Field(min_length=1)]
LineType = Literal["payment", "refund", "dispute", "payout", "receipt", "hold", "balance", "other"]

NEGATIVE_LINE_TYPES = frozenset({"refund", "dispute", "payout"})
"""Where amounts are written without a sign: what leaves the company's account there."""


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Columns(_Declared):
    """The header's names of what is read: one name, or the names by which it goes in several languages."""

    settled_at: HeaderNames
    line_type: HeaderNames | None = None
    amount: HeaderNames | None = None
    credit: HeaderNames | None = None
    debit: HeaderNames | None = None
    fee: HeaderNames | None = None
    net: HeaderNames | None = None
    currency: HeaderNames | None = None
    description: HeaderNames | None = None
    reference: HeaderNames | None = None
    payment: HeaderNames | None = None
    refund: HeaderNames | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _one_or_several(cls, names: object) -> object:
        return (names,) if isinstance(names, str) else names


class Link(_Declared):
    """Whose ids a column holds, and which part of a cell is the id; a cell that does not fit points at nothing."""

    provider: Name
    pattern: str = r"(.+)"

    @field_validator("pattern")
    @classmethod
    def _one_group(cls, pattern: str) -> str:
        return _with_one_group(pattern)


class StatementMapping(_Declared):
    """One mapping. `revision` rises when files were read wrongly: what it reads then stands instead (docs/settlements.md)."""

    name: Name
    title: str = Field(max_length=200)
    files: tuple[str, ...] = ()
    """Patterns of file names (`galicia-*.csv`) that choose this mapping where none is named."""
    revision: int = Field(default=1, ge=1, le=999)
    encoding: Literal["utf-8", "utf-16", "latin-1", "cp1252"] = "utf-8"
    separator: Literal[",", ";", "\t", "|"]
    lines_before_header: int = Field(default=0, ge=0, le=100)
    decimal_mark: Literal[".", ","] = "."
    group_mark: Literal["", ".", ",", " ", "'"] = ""
    times: tuple[str, ...] = ()
    """As of strptime, the first that fits; none: ISO 8601."""
    zone: str
    currency: str = ""
    """The currency of files without a column for it."""
    columns: Columns
    sign: Literal["signed", "inverted", "by_line_type", "credit_debit"] = "signed"
    fees: Literal["positive", "negative"] = "positive"
    """How what is kept is written: as a positive or a negative amount."""
    line_type: LineType | None = None
    """What every row is, where no column tells."""
    line_types: Mapping[str, LineType] = {}
    """What the words of the column line_type mean, in any case."""
    unknown_line_types: Literal["hold", "other"] = "hold"
    payment: Link | None = None
    refund: Link | None = None
    reference: Annotated[str, StringConstraints(max_length=200)] = r"(.+)"
    """Which part of the column `reference` is one."""
    identity: tuple[str, ...] = ()
    """The header's names that identify a row; none: what it says and how often that was said above it."""
    bad_rows: Literal["hold_the_rows", "hold_the_file"] = "hold_the_rows"
    reissued: str = ""
    """Of statements that are issued again: what their file name is like, with the groups `period` and `generation`."""

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise ValueError("name a zone of the IANA database, for example America/Argentina/Buenos_Aires") from None
        return zone

    @field_validator("currency")
    @classmethod
    def _is_a_currency(cls, currency: str) -> str:
        if currency and currency not in CURRENCY_DECIMALS:
            raise ValueError(f"name one of {', '.join(CURRENCY_DECIMALS)}, or add it to CURRENCY_DECIMALS")
        return currency

    @field_validator("reference")
    @classmethod
    def _one_group(cls, pattern: str) -> str:
        return _with_one_group(pattern)

    @field_validator("reissued")
    @classmethod
    def _has_its_groups(cls, pattern: str) -> str:
        if pattern and {"period", "generation"} - _compiled(pattern).groupindex.keys():
            raise ValueError("write the groups (?P<period>…) and (?P<generation>…); the latter may be optional")
        return pattern

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = [mend for is_wrong, mend in _FAULTS if is_wrong(self)]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def canonical(self) -> str:
        """Return the mapping as it travels: JSON in ASCII, keys in order, every default written out."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True), sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """Return the digest of all that the mapping says."""
        return sha256(self.canonical.encode()).hexdigest()


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as wrong:
        raise ValueError(f"this is no regular expression: {wrong}") from None


def _with_one_group(pattern: str) -> str:
    if _compiled(pattern).groups != 1:
        raise ValueError("write one group around the id, for example '(ch_[A-Za-z0-9]+)'")
    return pattern


_FAULTS: tuple[tuple[Callable[[StatementMapping], object], str], ...] = (
    (lambda it: bool(it.currency) == bool(it.columns.currency), "give either currency or columns.currency"),
    (lambda it: bool(it.line_type) == bool(it.columns.line_type), "give either line_type or columns.line_type"),
    (
        lambda it: it.columns.line_type and not it.line_types,
        "say in line_types what the words of columns.line_type mean",
    ),
    (
        lambda it: (it.sign == "credit_debit") != bool(it.columns.credit and it.columns.debit),
        "sign: credit_debit goes with columns.credit and columns.debit, and with no other sign",
    ),
    (
        lambda it: (it.sign == "credit_debit") == bool(it.columns.amount),
        "give columns.amount, or sign: credit_debit with its two columns",
    ),
    (lambda it: bool(it.payment) != bool(it.columns.payment), "payment (whose ids they are) goes with columns.payment"),
    (lambda it: bool(it.refund) != bool(it.columns.refund), "refund (whose ids they are) goes with columns.refund"),
    (lambda it: it.group_mark == it.decimal_mark, "group_mark and decimal_mark must differ"),
    (
        lambda it: it.reissued and it.bad_rows != "hold_the_file",
        "reissued needs bad_rows: hold_the_file, for half a statement must not stand instead of a whole one",
    ),
)
"""What cannot be true of a mapping as a whole, and what to write instead."""


def load(name: str, text: str) -> StatementMapping:
    """Read a mapping from its YAML file; raise SettingsError that names each fault and its mend."""
    try:
        declared = yaml.safe_load(text)
    except yaml.YAMLError as malformed:
        raise SettingsError(f"mapping {name} is no YAML: {malformed}") from None
    if not isinstance(declared, dict):
        raise SettingsError(f"mapping {name} holds no keys; see docs/providers/statement.md for an example")
    mapping = _validated(name, {"name": name, **declared})
    if len(mapping.canonical) > MAPPING_BYTES_MAX:
        raise SettingsError(
            f"mapping {name} has {len(mapping.canonical)} bytes, and at most {MAPPING_BYTES_MAX} travel with a file; "
            "leave out line types and header names that do not occur"
        )
    return mapping


def from_header(text: str) -> StatementMapping:
    """Read the mapping that travelled with a file; raise SettingsError where this code no longer understands it."""
    return _validated("of the delivery", json.loads(text))


def _validated(name: str, declared: dict[str, Any]) -> StatementMapping:
    try:
        return StatementMapping.model_validate(declared)
    except ValidationError as invalid:
        faults = (
            f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg'].removeprefix('Value error, ')}"
            for each in invalid.errors(include_url=False, include_input=False)
        )
        raise SettingsError(f"mapping {name}: {'; '.join(faults)}") from None


def headers_of(file_name: str, asked: str, mappings: Mapping[str, str]) -> Mapping[str, str]:
    """Return the header that holds the mapping of a file: the one that is asked for, else the one that its name chooses.

    Raises SettingsError where there is none, where two would do, or where it is wrong.
    """
    if asked:
        if asked not in mappings:
            raise SettingsError(f"there is no mapping {asked[:64]!r}; {_known(mappings)}")
        return {HEADER: load(asked, mappings[asked]).canonical}
    loaded = [load(name, text) for name, text in sorted(mappings.items())]
    fitting = [each for each in loaded if any(fnmatchcase(file_name, pattern) for pattern in each.files)]
    if len(fitting) != 1:
        found = f"mappings {', '.join(each.name for each in fitting)} are" if fitting else "no mapping is"
        raise SettingsError(f"{found} for files like {file_name!r}; name one, or mend `files`; {_known(mappings)}")
    return {HEADER: fitting[0].canonical}


def _known(mappings: Mapping[str, str]) -> str:
    return f"there are: {', '.join(sorted(mappings))}" if mappings else "there are none yet"
