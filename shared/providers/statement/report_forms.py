"""From a declared mapping to the form of a file: the columns that are read, and how the file writes them."""

from zoneinfo import ZoneInfo

from shared.providers.statement.payloads import StatementMapping
from shared.providers.toolkit.csv_rows import BadRows, Form
from shared.providers.toolkit.csv_writing import Writing

_ENCODINGS = {"utf-8": "utf-8-sig"}
_OPTIONAL = frozenset({"description", "reference", "payment", "refund"})
"""Columns that a file may leave out; any other that is declared must be there."""


def form_of(mapping: StatementMapping) -> Form:
    """Return the form of the files that a mapping is for. Identifying columns are named `identity 1`, `identity 2`, …."""
    declared = mapping.columns.model_dump(exclude_none=True)
    identity = {f"identity {place}": (name,) for place, name in enumerate(mapping.identity, start=1)}
    return Form(
        name=mapping.name,
        columns={**declared, **identity},
        required=frozenset({*declared, *identity} - _OPTIONAL),
        zone=ZoneInfo(mapping.zone),
        bad_rows=BadRows[mapping.bad_rows.upper()],
        writing=Writing(
            encoding=_ENCODINGS.get(mapping.encoding, mapping.encoding),
            separator=mapping.separator,
            lines_before_header=mapping.lines_before_header,
            decimal_mark=mapping.decimal_mark,
            group_mark=mapping.group_mark,
            time_formats=mapping.times,
        ),
    )
