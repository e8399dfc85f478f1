"""A file of payments becomes sales with a declared clock, and nothing of it is lost."""

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest

from local.simulator import Chaos, PaymentsFeed, Plan, read_payments

HEADER = "order_id,payment_sequential,payment_type,payment_installments,payment_value\n"
ROWS = 'aa11,2,voucher,1,10.5\n"bb22",1,credit_card,8,99.33\naa11,1,credit_card,3,0.00\ncc33,1,not_defined,1,0\n'


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return a file of three orders, one of them with two payments out of order."""
    path = tmp_path / "payments.csv"
    path.write_text(HEADER + ROWS)
    return path


def test_each_row_is_one_payment_of_its_order(small: Path) -> None:
    """Asiento's simulator tells of the first row of an order as completed, of later ones as updated, one payment each."""
    told = [
        (emission.event_type, body["data"]["transaction"])
        for emission in PaymentsFeed.open(small).emissions()
        for body in [json.loads(emission.body, parse_float=Decimal)]
    ]

    assert [
        (event_type, sale["transactionId"], sale["payments"][0]["referenceNumber"], sale["payments"][0]["amount"])
        for event_type, sale in told
    ] == [
        ("transaction.completed", "aa11", "2", Decimal("10.5")),
        ("transaction.completed", "bb22", "1", Decimal("99.33")),
        ("transaction.updated", "aa11", "1", 0),
        ("transaction.completed", "cc33", "1", 0),
    ]
    assert [sale["createdAt"]["value"] for _, sale in told] == [
        "2018-01-01T03:00:00.000Z",
        "2018-01-01T03:00:01.000Z",
        "2018-01-01T03:00:00.000Z",
        "2018-01-01T03:00:02.000Z",
    ]
    assert all("total" not in sale and len(sale["payments"]) == 1 for _, sale in told)
    assert told[2][1]["updatedAt"]["value"] > told[0][1]["updatedAt"]["value"]


def test_a_zipped_file_is_the_same(small: Path, tmp_path: Path) -> None:
    """Asiento's simulator reads a gzipped file as the plain one."""
    zipped = tmp_path / "payments.csv.gz"
    zipped.write_bytes(gzip.compress(small.read_bytes()))

    assert list(read_payments(zipped)) == list(read_payments(small))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n", "columns"),
        (HEADER + "aa11,1,boleto,1,9.999\n", "line 2: .*decimals"),
        (HEADER + "aa11,1,boleto,1\n", "line 2"),
        (HEADER + "aa11,1,boleto,1,many\n", "line 2"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, says: str) -> None:
    """Asiento's simulator refuses a file with other columns or an amount that it would have to guess, by line."""
    path = tmp_path / "payments.csv"
    path.write_text(text)

    with pytest.raises(ValueError, match=says):
        list(read_payments(path))


def test_the_real_file_comes_out_exactly(outside_data: Path) -> None:
    """Asiento's simulator makes 103,886 payments of 99,440 orders out of the Olist file, 16,008,872.12 in total."""
    feed = PaymentsFeed.open(_olist(outside_data))
    books = feed.books()

    assert (books.orders, books.payments, books.total_minor) == (99_440, 103_886, 1_600_887_212)
    total, sales, events = Decimal(0), set(), set()
    for emission in feed.emissions():
        sale = json.loads(emission.body, parse_float=Decimal)["data"]["transaction"]
        total += sale["payments"][0]["amount"]
        sales.add(sale["_id"])
        events.add(emission.event_id)
    assert total == Decimal("16008872.12")
    assert len(sales) == 99_440, "two orders would share one transaction"
    assert len(events) == 103_886


def test_the_real_file_can_be_shuffled_and_repeated(outside_data: Path) -> None:
    """Asiento's simulator plans the file like a season: shuffled, with duplicates, counted exactly."""
    plan = Plan(PaymentsFeed.open(_olist(outside_data)), Chaos(seed=1, duplicate_share=0.05, is_shuffled=True))

    assert plan.counts["unique"] == 103_886
    assert plan.counts["duplicated"] >= round(103_886 * 0.05)
    assert plan.counts["lost"] == 0


def _olist(folder: Path) -> Path:
    return folder / "olist_payments" / "olist_order_payments_dataset.csv.gz"
