"""Asiento reads Mercado Pago's reports row by row, and holds by its number each line that does not add up."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from shared.domain.deliveries import Channel, Delivery
from shared.domain.entities import refuse_undeclared
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import Fact, Reading
from shared.domain.times import to_ms
from shared.providers.mercadopago.translate import read

RECEIVED_AT = datetime(2026, 12, 1, tzinfo=UTC)
HEADER = (
    "DATE,SOURCE_ID,EXTERNAL_REFERENCE,RECORD_TYPE,DESCRIPTION,NET_CREDIT_AMOUNT,NET_DEBIT_AMOUNT,GROSS_AMOUNT,"
    "MP_FEE_AMOUNT,FINANCING_FEE_AMOUNT,SHIPPING_FEE_AMOUNT,TAXES_AMOUNT,TAXES_DISAGGREGATED"
)
OPENING = "2026-03-01T00:00:00.000-04:00,,,initial_available_balance,,1000.00,0.00,1000.00,0.00,0.00,0.00,0.00,"
PAYMENT = "2026-03-01T10:00:00.000-04:00,701,A-1,release,payment,88.00,0.00,100.00,-7.50,-2.00,-1.00,-1.50,"
REFUND = "2026-03-01T11:00:00.000-04:00,701,A-1,release,refund,0.00,100.00,-100.00,0.00,0.00,0.00,0.00,"
RESERVE = "2026-03-01T11:00:00.000-04:00,701,A-1,block,reserve_for_refund,0.00,100.00,-100.00,0,0,0,0,"
UNRESERVE = "2026-03-01T11:00:00.000-04:00,701,A-1,unblock,reserve_for_refund,100.00,0.00,100.00,0,0,0,0,"
WITHDRAWAL = "2026-03-01T12:00:00.000-04:00,,,release,withdrawal,0.00,503.00,-500.00,-3.00,0,0,0,"
NEWS = "2026-03-01T13:00:00.000-04:00,702,A-2,release,tax_of_next_year,0.00,4.00,0.00,0,0,0,-4.00,"
TOTAL = "2026-03-02T00:00:00.000-04:00,,,total,,1188.00,707.00,481.00,0.00,0.00,0.00,0.00,"


def report(*rows: str, header: str = HEADER) -> Reading:
    """Read a report of these rows."""
    return read(delivered("\n".join((header, *rows)).encode()))


def delivered(body: bytes, name: str = "release.csv") -> Delivery:
    """Return a file as a delivery."""
    return Delivery("d1", "mercadopago", Channel.FILE, RECEIVED_AT, name, {}, body)


def by_line_type(reading: Reading) -> dict[object, Fact]:
    """Return the facts by their line type."""
    return {fact.values["line_type"]: fact for fact in reading.facts}


def test_release_report_row_by_row() -> None:
    """Asiento states each row as a settlement line: its type, its payment, and gross less fee is net."""
    reading = report(OPENING, PAYMENT, REFUND, RESERVE, UNRESERVE, WITHDRAWAL, NEWS, TOTAL)
    assert (len(reading.facts), reading.held, reading.event_type) == (8, (), "report.release")
    for fact in reading.facts:
        refuse_undeclared(fact)
        assert int(fact.values["gross_minor"]) - int(fact.values["fee_minor"]) == fact.values["net_minor"]
    lines = by_line_type(reading)
    assert dict(lines["payment"].values) == {
        "line_type": "payment",
        "report": "release",
        "description": "payment",
        "payment": "payment:mercadopago:701",
        "gross_minor": 10_000,
        "fee_minor": 1_200,
        "net_minor": 8_800,
        "currency": "ARS",
        "status": "released",
        "settled_at_ms": to_ms(datetime(2026, 3, 1, 14, 0, tzinfo=UTC)),
    }
    assert (lines["refund"].values["payment"], lines["refund"].values["net_minor"]) == (
        "payment:mercadopago:701",
        -10_000,
    )
    assert "payment" not in lines["hold"].values, "a reserve is no payment, though it bears its id"
    assert (lines["payout"].values["net_minor"], lines["payout"].values["fee_minor"]) == (-50_300, 300)
    assert "status" not in lines["opening_balance"].values


def test_unknown_descriptions_are_kept_as_text() -> None:
    """Asiento keeps a description that it does not know as it stands, for the row adds up all the same."""
    line = by_line_type(report(NEWS))["other"]
    assert (line.values["description"], line.values["net_minor"]) == ("tax_of_next_year", -400)
    assert "payment" not in line.values


def test_rows_exactly_alike_are_as_many_lines() -> None:
    """Asiento counts rows that are exactly alike: they are legitimate, and each is a line."""
    reading = report(PAYMENT, REFUND, PAYMENT, PAYMENT)
    assert len({fact.key for fact in reading.facts}) == 4
    assert Counter(fact.values["line_type"] for fact in reading.facts) == {"payment": 3, "refund": 1}


def test_the_same_row_is_the_same_line_in_every_layout() -> None:
    """Asiento knows a row again in another file, whatever its separator, columns, decimals or place are."""
    (line,) = report(PAYMENT).facts
    other_header = (
        "MP_FEE_AMOUNT;GROSS_AMOUNT;NET_DEBIT_AMOUNT;NET_CREDIT_AMOUNT;DESCRIPTION;RECORD_TYPE;SOURCE_ID;DATE"
    )
    other = report("-12;100;0;88.0;payment;release;701;2026-03-01T14:00:00Z", header=other_header)
    assert other.facts == (line,)
    _, second = report(REFUND, PAYMENT).facts
    assert second == line


def test_shifted_columns_are_held_by_line() -> None:
    """Asiento holds the row that unquoted commas in TAXES_DISAGGREGATED shift, and applies the others."""
    shifted = PAYMENT + '[{"amount":-1.50,"detail":"iibb"},{"amount":0,"detail":"iva"}]'
    reading = report(PAYMENT, shifted, REFUND)
    assert len(reading.facts) == 2
    assert reading.held == ("line 3: malformed_csv: its quoting cannot be read",)
    assert report(PAYMENT, PAYMENT + "iibb,iva").held == (
        "line 3: malformed_csv: 14 cells under 13 columns, which shifts them",
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (PAYMENT.replace("88.00", "88.01"), "identity_broken"),
        (PAYMENT.replace("release", "re-release"), "unknown_status"),
        (PAYMENT.replace("2026-03-01T10", "yesterday"), "wrong_type"),
        (PAYMENT.replace("100.00", "100.001"), "excess_precision"),
        (PAYMENT.replace("701", "7/01"), "wrong_type"),
        (PAYMENT.replace(",payment,", f",{'x' * 65},"), "wrong_type"),
        (PAYMENT.replace("100.00", ""), "missing_field"),
    ],
)
def test_rows_that_cannot_be_read_are_held_and_the_others_apply(row: str, reason: str) -> None:
    """Asiento holds a row that it cannot read with certainty by its line, with the reason, and applies the others."""
    reading = report(PAYMENT, row, REFUND)
    assert len(reading.facts) == 2
    (held,) = reading.held
    assert held.startswith(f"line 3: {reason}")


def test_report_that_contradicts_its_total_is_held_whole() -> None:
    """Asiento applies nothing of a report whose balance and movements are not its total: any row may be the wrong one."""
    with pytest.raises(UnreadableError) as unreadable:
        report(OPENING, PAYMENT, WITHDRAWAL, NEWS, TOTAL)
    assert unreadable.value.reason is Quarantine.IDENTITY_BROKEN
    assert report(OPENING, PAYMENT, TOTAL.replace("1188.00,707.00,481.00", "1088.00,0,1088.00")).held == ()


def test_settlement_report() -> None:
    """Asiento reads a settlement report too: amount, fees and taxes are net, and the type is its own word."""
    header = (
        "SOURCE_ID;TRANSACTION_TYPE;TRANSACTION_AMOUNT;TRANSACTION_CURRENCY;TRANSACTION_DATE;FEE_AMOUNT;"
        "SETTLEMENT_NET_AMOUNT;SETTLEMENT_CURRENCY;SETTLEMENT_DATE;TAXES_AMOUNT"
    )
    reading = report(
        "701;SETTLEMENT;100.00;ARS;2026-03-01T10:00:00.000-04:00;-7.50;91.00;ARS;2026-03-03T10:00:00.000-04:00;-1.50",
        "701;REFUND;-100.00;ARS;2026-03-02T10:00:00.000-04:00;0;-100.00;ARS;;0",
        "701;CHARGEBACK;-1.00;ARS;2026-03-02T10:00:00.000-04:00;0;-1.01;ARS;;0",
        "703;CASHBACK;1.00;ARS;2026-03-02T10:00:00.000-04:00;0;1.00;ARS;;0",
        header=header,
    )
    assert [fact.values["line_type"] for fact in reading.facts] == ["payment", "refund", "other"]
    assert [fact.values["net_minor"] for fact in reading.facts] == [9_100, -10_000, 100]
    assert {fact.values["report"] for fact in reading.facts} == {"settlement"}
    assert reading.facts[0].version.at_ms == to_ms(datetime(2026, 3, 3, 14, 0, tzinfo=UTC))
    assert reading.held == ("line 4: identity_broken: amount with fees and taxes is not net",)


def test_event_of_a_file_is_its_content() -> None:
    """Asiento takes the same bytes under another name, at another time, for the same event."""
    body = f"{HEADER}\n{PAYMENT}".encode()
    first, second = read(delivered(body)), read(delivered(body, "copy of release.csv"))
    assert (first.event_key, first.content_digest) == (second.event_key, second.content_digest)
    assert read(delivered(body + b"\n")).event_key != first.event_key
    later = Delivery("d2", "mercadopago", Channel.FILE, RECEIVED_AT + timedelta(days=9), "x", {}, body)
    assert read(later).facts == first.facts


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_cent_in_any_amount_is_found(seed: int) -> None:
    """Asiento finds one cent too much in whichever amount of a row it stands."""
    random = Random(seed)  # noqa: S311  a seeded test, no secret
    print(f"seed {seed}")  # noqa: T201  so that a failure can be repeated
    for _ in range(40):
        parts = [random.randrange(-9_999, 9_999) for _ in range(5)]
        net = sum(parts)
        amounts = [max(net, 0), max(-net, 0), *parts]
        touched = random.randrange(len(amounts))
        for wrong in (0, 1):
            amounts[touched] += wrong
            cells = ",".join(f"{'-' if each < 0 else ''}{abs(each) // 100}.{abs(each) % 100:02d}" for each in amounts)
            reading = report(f"2026-03-01T10:00:00.000-04:00,1,,release,payment,{cells},")
            assert (len(reading.facts), len(reading.held)) == (1 - wrong, wrong)


# --- the real files -------------------------------------------------------------------------------------------------


def test_identity_holds_six_of_six(outside_data: Path) -> None:
    """Asiento reads all six rows of the documentation's sample, and each adds up."""
    reading = read(delivered((outside_data / "mercadopago" / "release_report_doc_sample.csv").read_bytes()))
    assert (len(reading.facts), reading.held) == (6, ())
    nets = [int(fact.values["net_minor"]) for fact in reading.facts]
    assert nets == [81_343_919, -81_336_345, 22_596, 12_432, 82_014, 85_000]
    assert sum(nets) == 209_616
    assert [fact.values["line_type"] for fact in reading.facts] == ["opening_balance", "payout", *["payment"] * 4]


@pytest.mark.parametrize(
    ("name", "nets", "held_lines"),
    [
        ("valid", [120_000, -15_000, -25_000, 2_500, 900, -1_200, -32_000, 45_000], []),
        ("comma-valid", [70_000, -12_000, 800, -20_000], []),
        ("duplicates", [-10_000, -10_000, 50_000, 50_000, 400], []),
        ("salary", [500_000, 60_000, -9_000, -80_000, -35_000, 45_000], []),
        ("period-anchors", [-12_000, 500_000, 60_000, -28_000, 510_000, -45_000], []),
        ("missing-columns", [10_000], [3]),
        ("technical-rows", [0, 0, 22_000], [2, 5, 6, 7, 8]),
    ],
)
def test_broken_files_are_held_by_line(outside_data: Path, name: str, nets: list[int], held_lines: list[int]) -> None:
    """Asiento applies what adds up of the synthetic files, rows exactly alike too, and holds the rest by line."""
    path = outside_data / "mercadopago" / "released_money_synthetic" / f"daily-core-{name}.csv"
    reading = read(delivered(path.read_bytes(), path.name))
    assert [fact.values["net_minor"] for fact in reading.facts] == nets
    assert {fact.values["currency"] for fact in reading.facts} == {"CLP"}
    assert len({fact.key for fact in reading.facts}) == len(nets)
    assert [held.split(":")[0] for held in reading.held] == [f"line {line}" for line in held_lines]
