"""Asiento reads CSV files by declared mappings, and holds by its line number whatever it cannot read with certainty."""

from datetime import UTC, timedelta, timezone

import pytest

from shared.domain.errors import Quarantine, UnreadableError
from shared.providers.toolkit.csv_rows import BadRows, Form, Row, Table, read_rows, read_table

BANK = Form(
    name="bank",
    columns={"day": ("Fecha", "Date"), "amount": ("Importe neto", "Net amount"), "note": ("Detalle",)},
    required=frozenset({"day", "amount"}),
    zone=timezone(timedelta(hours=-4)),
    bad_rows=BadRows.HOLD_THE_ROWS,
)
STRICT = Form("strict", BANK.columns, BANK.required, UTC, BadRows.HOLD_THE_FILE)


def table(text: str, form: Form = BANK) -> Table:
    """Read a text as a file of one form."""
    return read_table(text.encode(), [form])


def amounts(text: str, form: Form = BANK) -> tuple[list[int], tuple[str, ...]]:
    """Return the amounts of a file in minor units, and its held lines."""
    return read_rows(table(text, form), lambda row: row.major("amount", "ARS"))


def row(**cells: str) -> Row:
    """Return one row."""
    return Row(2, cells, BANK.zone)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("header", ["Fecha{}Importe neto", "DATE{}  net   AMOUNT "])
def test_reads_the_layouts_that_come(mark: str, separator: str, end: str, header: str) -> None:
    """Asiento reads either separator, line end and header language, with or without a byte order mark."""
    text = mark + end.join((header.format(separator), f"2026-01-05{separator}12.50", "", f"2026-01-06{separator}-3"))
    assert amounts(text) == ([1250, -300], ())


def test_columns_come_in_any_order_and_others_are_left_alone() -> None:
    """Asiento finds its columns by their names, wherever they stand and whatever stands between them."""
    assert amounts("Sucursal,Importe neto,Fecha\nCentro,1.00,2026-01-05") == ([100], ())


def test_shifted_cells_are_held_by_line_and_the_others_read() -> None:
    """Asiento holds the lines whose cells are shifted by unquoted separators, by number, and reads the others."""
    text = "Fecha,Importe neto,Detalle\n2026-01-05,1.00,a\n2026-01-05,2.00,b, c\n2026-01-05,3.00,d\n2026-01-05,4.00\n"
    assert amounts(text) == (
        [100, 300],
        (
            "line 3: malformed_csv: 4 cells under 3 columns, which shifts them",
            "line 5: malformed_csv: 2 cells under 3 columns, which shifts them",
        ),
    )


def test_line_numbers_are_those_of_the_file() -> None:
    """Asiento counts lines as an editor does: blank ones, and those inside of quotes, too."""
    text = 'Fecha,Importe neto,Detalle\n2026-01-05,1.00,"one\ntwo"\n\n2026-01-05,many,x\n2026-01-05,more,x\n'
    assert amounts(text) == ([100], ("lines 5, 6: wrong_type: an amount is text that is no number",))


def test_a_line_whose_quotes_mislead_is_held_alone() -> None:
    """Asiento holds the one line whose quoting cannot be read, and goes on with the next."""
    text = 'Fecha,Importe neto,Detalle\n2026-01-05,1.00,"a"b\n2026-01-05,2.00,"a ""b"", c"\n2026-01-05,3.00,a "b" c\n'
    assert amounts(text) == ([200, 300], ("line 2: malformed_csv: its quoting cannot be read",))


def test_quotes_without_partners_hold_every_line_between_them() -> None:
    """Asiento names each line that two stray quotes join, for none of them can be told from the others."""
    text = 'Fecha,Importe neto,Detalle\n2026-01-05,1.00,5" wide\n2026-01-05,2.00,b\n2026-01-05,3.00,6" wide\n2026-01-05,4.00,d'
    assert amounts(text) == ([400], ("lines 2, 3, 4: malformed_csv: its quoting cannot be read",))


def test_form_that_holds_the_file() -> None:
    """Asiento applies nothing of a file with a bad row where its form declares so, and names the line all the same."""
    with pytest.raises(
        UnreadableError, match=r"^rows_held: line 3: wrong_type: .*nothing of the file is applied"
    ) as held:
        amounts("Fecha,Importe neto\n2026-01-05,1.00\n2026-01-05,many\n", STRICT)
    assert held.value.reason is Quarantine.ROWS_HELD
    assert amounts("Fecha,Importe neto\n2026-01-05,1.00\n", STRICT) == ([100], ())


@pytest.mark.parametrize(
    ("body", "reason", "detail"),
    [
        (b"Fecha,Importe neto\n\xe9", Quarantine.NOT_UTF8, "byte 19"),
        (b"", Quarantine.MISSING_FIELD, "for bank it lacks Fecha, Importe neto"),
        (b"Fecha,Saldo\n2026-01-05,1", Quarantine.MISSING_FIELD, "for bank it lacks Importe neto"),
        (b'Fecha,Importe neto\n2026-01-05,1\n"2026-01-05,1\n', Quarantine.MALFORMED_CSV, "line 3"),
        (b'"Fecha"x,Importe neto\n2026-01,1\n', Quarantine.MALFORMED_CSV, "quoting"),
    ],
)
def test_what_is_no_such_file_is_refused_whole(body: bytes, reason: Quarantine, detail: str) -> None:
    """Asiento holds a file whose text, header or quoting cannot be read, and says where or what is missing."""
    with pytest.raises(UnreadableError, match=detail) as unreadable:
        read_table(body, [BANK])
    assert unreadable.value.reason is reason


def test_quotes_nobody() -> None:
    """Asiento quotes no cell in the reason for which a row is held."""
    with pytest.raises(UnreadableError) as unreadable:
        row(amount="Juana Molina").major("amount", "ARS")
    assert "Juana" not in str(unreadable.value)
    with pytest.raises(UnreadableError) as unreadable:
        row(currency="Juana Molina").currency("currency")
    assert "Juana" not in str(unreadable.value)


@pytest.mark.parametrize(
    ("cell", "instant_ms"),
    [
        ("1970-01-01T00:00:00.250-04:00", 4 * 3600 * 1000 + 250),
        ("1970-01-01T00:00:00-0400", 4 * 3600 * 1000),
        ("1970-01-01 00:00:00", 4 * 3600 * 1000),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_times_without_offset_are_in_the_zone_of_the_form(cell: str, instant_ms: int) -> None:
    """Asiento takes a time without an offset in the zone that the form declares, any other by its own."""
    assert row(at=cell).instant_ms("at") == instant_ms


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("major", "", Quarantine.MISSING_FIELD),
        ("major", "1.005", Quarantine.EXCESS_PRECISION),
        ("major", "1,50", Quarantine.WRONG_TYPE),
        ("major", "NaN", Quarantine.WRONG_TYPE),
        ("minor", "12.0", Quarantine.WRONG_TYPE),
        ("minor", "٣", Quarantine.WRONG_TYPE),
        ("minor", "9" * 5000, Quarantine.WRONG_TYPE),
        ("minor", "-", Quarantine.WRONG_TYPE),
        ("minor", "9" * 17, Quarantine.AMOUNT_OUT_OF_RANGE),
    ],
)
def test_amounts_are_exact_or_held(column: str, cell: str, reason: Quarantine) -> None:
    """Asiento reads an amount to the last digit or holds it."""
    with pytest.raises(UnreadableError) as unreadable:
        getattr(row(amount=cell), column)("amount", "ARS")
    assert unreadable.value.reason is reason


def test_none_is_zero_only_where_it_may_be() -> None:
    """Asiento takes an empty cell for nothing only where the column may be left out."""
    assert row(amount="").major_or_zero("amount", "ARS") == row().major_or_zero("amount", "ARS") == 0
    assert row(amount="0.05").major_or_zero("amount", "ARS") == 5
    with pytest.raises(UnreadableError, match="day is no ISO 8601 time"):
        row(day="5/1/2026").instant_ms("day")
