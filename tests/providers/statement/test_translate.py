"""Statements are read by their mapping, row by row: every row is a line or is held by its number."""

from datetime import UTC, datetime

import pytest

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import Quarantine, RefusedError, UnreadableError
from shared.domain.facts import EntityKey, Fact, Reading
from shared.domain.times import to_ms
from shared.providers.statement import PROVIDER
from shared.providers.statement.payloads import headers_of

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
MAPPING = """
title: Cuenta de recaudación
separator: ";"
encoding: latin-1
lines_before_header: 2
decimal_mark: ","
group_mark: "."
times: ["%d/%m/%Y %H:%M", "%d/%m/%Y"]
zone: America/Argentina/Buenos_Aires
currency: ARS
columns: {settled_at: [Date, Fecha], line_type: Concepto, credit: Crédito, debit: Débito, reference: Referencia}
sign: credit_debit
line_types: {Acreditación: receipt, Devolución: refund}
reference: '(po_\\w+)'
"""
HEADER = "Banco del Plata\nCuenta 1;2\nFecha;Concepto;Crédito;Débito;Referencia;Saldo"
GOOD = "01/03/2026;Acreditación;1.234,56;;Pago po_abc;0"


def delivery(text: str, mapping: str = MAPPING, name: str = "extracto.csv", encoding: str = "latin-1") -> Delivery:
    """Return a file as it is kept, its mapping beside it."""
    headers = headers_of(name, "bank", {"bank": mapping})
    return Delivery("d", "statement", Channel.FILE, NOON, name, headers, text.encode(encoding))


def read(*rows: str, mapping: str = MAPPING, name: str = "extracto.csv") -> Reading:
    """Return what a file of these rows says."""
    return PROVIDER.read(delivery("\n".join((HEADER, *rows)), mapping, name))


def lines(reading: Reading) -> list[Fact]:
    """Return the facts about lines; the last fact is about the statement."""
    *found, statement = reading.facts
    assert statement.values["line_type"] == "statement"
    return found


def test_reads_what_the_mapping_declares() -> None:
    """Asiento reads encoding, separator, marks, times, signs, types and references as declared, and money exactly."""
    reading = read(GOOD, "02/03/2026 23:30;devolución;;10,05;;0")
    receipt, refund = (fact.values for fact in lines(reading))
    assert (receipt["line_type"], receipt["net_minor"], receipt["reference"]) == ("receipt", 123_456, "po_abc")
    assert receipt["settled_at_ms"] == to_ms(datetime(2026, 3, 1, 3, tzinfo=UTC))
    assert (refund["line_type"], refund["gross_minor"], "reference" in refund) == ("refund", -1005, False)
    assert refund["settled_at_ms"] == to_ms(datetime(2026, 3, 3, 2, 30, tzinfo=UTC))
    assert reading.lines == (4, 5, 0)


def test_rows_exactly_alike_are_as_many_lines() -> None:
    """Asiento takes exact repetitions for what they are, and an overlapping file names the same lines again."""
    twice, thrice = read(GOOD, GOOD), read(GOOD, GOOD, GOOD)
    keys = [fact.key for fact in lines(twice)]
    assert len(set(keys)) == 2
    assert [fact.key for fact in lines(thrice)][:2] == keys


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("01/03/2026;Otro;1,00;;;0", "line 5: unknown_status: line_type is a word that line_types does not hold"),
        ("2026-03-01;Acreditación;1,00;;;0", "line 5: wrong_type: settled_at is no time as %d/%m/%Y %H:%M or"),
        ("01/03/2026;Acreditación;1.23,00;;;0", "line 5: wrong_type: credit is no amount as the form writes one"),
        ("01/03/2026;Acreditación;1,005;;;0", "line 5: excess_precision"),
        ("01/03/2026;Acreditación;1.00;;;0", "line 5: wrong_type: credit is no amount"),
        ("01/03/2026;Acreditación;;;;0", "line 5: missing_field: credit and debit are both empty"),
        ("01/03/2026;Acreditación;1,00;2,00;;0", "line 5: identity_broken: credit and debit both hold an amount"),
        ("01/03/2026;Acreditación;1,00;;;0;more", "line 5: malformed_csv: 7 cells under 6 columns"),
    ],
)
def test_a_row_that_is_not_certain_is_held_by_its_line(row: str, why: str) -> None:
    """Asiento applies the good rows and names each held line with its reason, counted as the file counts."""
    reading = read(GOOD, row, GOOD)
    assert reading.lines == (4, 6, 0)
    (held,) = reading.held
    assert held.startswith(why)
    with pytest.raises(UnreadableError, match="nothing of the file is applied") as all_held:
        read(GOOD, row, GOOD, mapping=MAPPING + "bad_rows: hold_the_file\n")
    assert all_held.value.reason is Quarantine.ROWS_HELD


def test_unknown_words_may_be_kept_as_other() -> None:
    """Asiento keeps a type that it does not know as `other` where the mapping says so, in the bank's own word."""
    (fact,) = lines(read("01/03/2026;Otro;1,00;;;0", mapping=MAPPING + "unknown_line_types: other\n"))
    assert (fact.values["line_type"], fact.values["description"]) == ("other", "Otro")


PROCESSOR = """
title: Processor
separator: ","
zone: UTC
columns: {settled_at: when, line_type: what, amount: gross, fee: cost, net: paid, currency: money, payment: charge, refund: back}
sign: SIGN
fees: positive
line_types: {sale: payment, return: refund}
payment: {provider: stripe, pattern: '(ch_\\w+)'}
refund: {provider: stripe}
identity: [row]
"""


@pytest.mark.parametrize(
    ("sign", "sale", "back"),
    [("signed", "100.00", "-5"), ("inverted", "-100.00", "5"), ("by_line_type", "100.00", "5")],
)
def test_signs_are_turned_as_declared(sign: str, sale: str, back: str) -> None:
    """Asiento turns every convention of signs into one: what comes to the company is positive; gross less fee is net."""
    paid = {"signed": ("97", "-5"), "inverted": ("-97", "5"), "by_line_type": ("97", "5")}[sign]
    text = f"row,when,what,gross,cost,paid,money,charge,back\n1,2026-03-01,sale,{sale},3,{paid[0]},usd,ch_1,\n"
    text += f"2,2026-03-02,return,{back},,{paid[1]},USD,,re_1\n"
    first, second = lines(PROVIDER.read(delivery(text, PROCESSOR.replace("SIGN", sign), encoding="utf-8")))
    assert [first.values[name] for name in ("gross_minor", "fee_minor", "net_minor")] == [10_000, 300, 9_700]
    assert [second.values[name] for name in ("gross_minor", "fee_minor", "net_minor")] == [-500, 0, -500]
    assert (first.values["payment"], second.values["refund"]) == ("payment:stripe:ch_1", "refund:stripe:re_1")
    assert str(first.key) == "settlement_line:statement:bank:r1:g0:id:1"


def test_a_row_that_does_not_add_up_and_an_id_that_stands_twice() -> None:
    """Asiento holds a row whose amount less fee is not net, and a file in which one id stands twice."""
    header, mapping = "row,when,what,gross,cost,paid,money,charge,back\n", PROCESSOR.replace("SIGN", "signed")
    wrong = header + "1,2026-03-01,sale,100,3,97.01,USD,ch_1,\n"
    assert PROVIDER.read(delivery(wrong, mapping, encoding="utf-8")).held == (
        "line 2: identity_broken: amount less fee is not net",
    )
    twice = header + "1,2026-03-01,sale,100,3,97,USD,ch_1,\n" * 2
    with pytest.raises(UnreadableError, match="lines 2, 3 bear one identity"):
        PROVIDER.read(delivery(twice, mapping, encoding="utf-8"))


REISSUED = (
    MAPPING + "bad_rows: hold_the_file\nreissued: '[a-z]+-(?P<period>[0-9-]+?)(?:-v(?P<generation>[0-9]+))?[.]csv'\n"
)


def test_a_generation_is_one_event_and_its_statement_bears_the_highest() -> None:
    """Asiento tells generations apart by the file's name; other content under one name is the same event, said otherwise."""
    first, second = (
        read(GOOD, mapping=REISSUED, name="x-2026-03.csv"),
        read(GOOD, mapping=REISSUED, name="x-2026-03-v2.csv"),
    )
    other = read(GOOD, GOOD, mapping=REISSUED, name="x-2026-03.csv")
    assert first.event_key == other.event_key == "statement:file:bank:2026-03:r1:g1"
    assert first.content_digest != other.content_digest
    assert (
        first.facts[-1].key
        == second.facts[-1].key
        == EntityKey.parse("settlement_line:statement:statement:bank:2026-03")
    )
    assert first.facts[-1].version < second.facts[-1].version
    assert first.facts[0].key != second.facts[0].key
    with pytest.raises(UnreadableError, match="does not tell period and generation"):
        read(GOOD, mapping=REISSUED, name="x.csv")


def test_a_revision_of_the_mapping_outranks_every_generation() -> None:
    """Asiento lets what a mended mapping reads stand instead of all that the wrong one read of the statement."""
    revised = read(GOOD, mapping=REISSUED + "revision: 2\n", name="x-2026-03.csv")
    latest = read(GOOD, mapping=REISSUED, name="x-2026-03-v999.csv")
    assert revised.facts[-1].version > latest.facts[-1].version


def test_reads_nothing_without_its_mapping() -> None:
    """Asiento quarantines a statement whose mapping is missing or no longer understood, and refuses it as a webhook."""
    kept = delivery(HEADER)
    bare = Delivery("d", "statement", Channel.FILE, NOON, "x.csv", {}, kept.body)
    broken = Delivery("d", "statement", Channel.FILE, NOON, "x.csv", {"mapping": '{"name": "bank"}'}, kept.body)
    posted = Delivery("d", "statement", Channel.WEBHOOK, NOON, "/statement", {}, kept.body)
    for wrong, why in ((bare, "no mapping travelled"), (broken, "title: Field required"), (posted, "channel webhook")):
        with pytest.raises(UnreadableError, match=why):
            PROVIDER.read(wrong)
    with pytest.raises(RefusedError, match="statements are files"):
        PROVIDER.verify(posted, ["secret"], NOON)
    with pytest.raises(UnreadableError, match="the file is not UTF-8"):
        PROVIDER.read(delivery("Crédito", MAPPING.replace("latin-1", "utf-8")))
    with pytest.raises(UnreadableError, match="lacks Concepto, Crédito, Date, Débito"):
        PROVIDER.read(delivery("a\nb\nFoo;Bar\n1;2"))
