"""A mapping is declared in YAML, checked before it is used, and travels whole with each file that it is for."""

import json

import pytest

from shared.domain.errors import SettingsError
from shared.providers.statement.payloads import HEADER, MAPPING_BYTES_MAX, from_header, headers_of, load

BANK = """
title: Bank
files: ["bank-*.csv"]
separator: ";"
zone: America/Argentina/Buenos_Aires
currency: ARS
columns: {settled_at: Fecha, amount: Importe}
line_type: receipt
"""


def test_travels_whole_and_is_read_back_as_it_was() -> None:
    """Asiento gives each file its whole mapping, defaults written out, so that a replay needs nothing else."""
    mapping = load("bank", BANK)
    header = headers_of("bank-1.csv", "bank", {"bank": BANK})[HEADER]
    assert from_header(header) == mapping
    assert json.loads(header)["bad_rows"] == "hold_the_rows"
    assert header.isascii()


def test_chooses_by_the_name_of_the_file() -> None:
    """Asiento takes the one mapping whose pattern fits the file's name, and refuses to choose between two."""
    other = BANK.replace("bank-*", "acquirer-*")
    both = {"bank": BANK, "acquirer": other}
    assert json.loads(headers_of("acquirer-7.csv", "", both)[HEADER])["name"] == "acquirer"
    with pytest.raises(SettingsError, match=r"no mapping is for files like 'x\.csv'.*there are: acquirer, bank"):
        headers_of("x.csv", "", both)
    with pytest.raises(SettingsError, match="mappings bank, twin are for files like"):
        headers_of("bank-1.csv", "", {"bank": BANK, "twin": BANK})
    with pytest.raises(SettingsError, match="no mapping 'nowhere'; there are: bank"):
        headers_of("bank-1.csv", "nowhere", {"bank": BANK})


@pytest.mark.parametrize(
    ("change", "mend"),
    [
        (("currency: ARS", "currency: XBT"), "currency: name one of ARS"),
        (("currency: ARS", ""), "give either currency or columns.currency"),
        (("line_type: receipt", ""), "give either line_type or columns.line_type"),
        (("line_type: receipt", "line_type: gift"), "line_type: Input should be 'payment'"),
        (("Buenos_Aires", "Buenos_Aire"), "zone: name a zone of the IANA database"),
        (("amount: Importe", "amuont: Importe"), "columns.amuont: Extra inputs are not permitted"),
        ((", amount: Importe", ""), "give columns.amount, or sign: credit_debit"),
        (('separator: ";"', 'separator: ";"\nsign: credit_debit'), "goes with columns.credit and columns.debit"),
        (('separator: ";"', 'separator: ";"\ngroup_mark: "."'), "group_mark and decimal_mark must differ"),
        (('separator: ";"', 'separator: ";"\nreference: "po_"'), "reference: write one group around the id"),
        (('separator: ";"', 'separator: ";"\nreference: "(po_"'), "reference: this is no regular expression"),
        (('separator: ";"', 'separator: ";"\nreissued: "a.csv"'), r"write the groups \(\?P<period>"),
        (
            ('separator: ";"', 'separator: ";"\nreissued: "b-(?P<period>.+?)(-(?P<generation>.+))?.csv"'),
            "reissued needs bad_rows: hold_the_file",
        ),
        (("columns:", "columns: [1]\nxs:"), "columns: Input should be a valid dictionary"),
    ],
)
def test_names_each_fault_and_its_mend(change: tuple[str, str], mend: str) -> None:
    """Asiento refuses a wrong mapping before any file is taken in, and says what to write instead."""
    with pytest.raises(SettingsError, match=f"mapping bank: .*{mend}"):
        load("bank", BANK.replace(*change))


@pytest.mark.parametrize(("text", "fault"), [("a: [", "is no YAML"), ("- a", "holds no keys")])
def test_refuses_what_is_no_mapping(text: str, fault: str) -> None:
    """Asiento says of a file that is no mapping what it is not."""
    with pytest.raises(SettingsError, match=fault):
        load("bank", text)


def test_refuses_a_mapping_that_is_too_long_to_travel() -> None:
    """Asiento refuses a mapping that does not fit beside a raw object, and says by how much."""
    words = ", ".join(f'"word {number} of a very talkative bank": payment' for number in range(100))
    long = BANK.replace("line_type: receipt", f"line_types: {{{words}}}").replace(
        "Importe}", "Importe, line_type: Tipo}"
    )
    with pytest.raises(SettingsError, match=f"at most {MAPPING_BYTES_MAX} travel"):
        load("bank", long)
