"""The data dictionary: every table says what it means, and the generated pages say what the models say."""

from pathlib import Path

import pytest

from shared.bi import dictionary
from shared.bi.certification import catalog
from shared.bi.dictionary import PAGES, main, meanings, render_dictionary
from shared.bi.inputs import INPUTS
from shared.bi.models import FOLDER, read_free_views, read_meaning
from shared.domain.errors import TerminalError

DOCS = Path(__file__).resolve().parents[2] / "docs"
INPUT_LAYERS = ("staging", "certificates")


@pytest.mark.parametrize("page", PAGES)
def test_keeps_its_pages_current(page: str) -> None:
    """Asiento's pages of meaning and lineage say what the models say today; if not, run `make generate`."""
    assert (DOCS / page).read_text(encoding="utf-8") == PAGES[page]()


def test_says_what_every_input_means() -> None:
    """Asiento describes every table that it loads, column by column, as it is loaded."""
    described = {f"{place.parent.name}.{place.name}" for layer in INPUT_LAYERS for place in (FOLDER / layer).iterdir()}
    assert described == {each.name for each in INPUTS}
    for each in INPUTS:
        meaning = read_meaning(FOLDER.joinpath(*each.name.split(".")))
        assert {column.name: column.type for column in meaning.columns} == dict(each.columns), each.name
        assert meaning.grain == each.grain, each.name


def test_gives_every_quantity_a_unit() -> None:
    """Asiento names the unit of every amount, instant and day, in the words of its name."""
    units = {"_minor": "minor units", "_ms": "milliseconds since the epoch", "_bp": "basis points"}
    for meaning in meanings():
        for column in meaning.columns:
            for ending, unit in units.items():
                if column.name.endswith(ending) and column.type == "INT64":
                    assert column.unit == unit, f"{meaning.name}.{column.name}"
            assert column.unit or column.type != "DATE", f"{meaning.name}.{column.name}"


def test_names_every_table_once() -> None:
    """Asiento's dictionary has one section for each table and view, layer after layer."""
    sections = [line[5:-1] for line in render_dictionary().splitlines() if line.startswith("### ")]
    known = [*(each.name for each in INPUTS), *(model.name for model in (*catalog(), *read_free_views()))]
    assert sorted(sections) == sorted(known)
    layers = [name.partition(".")[0] for name in sections]
    assert [layer for at, layer in enumerate(layers) if at == 0 or layers[at - 1] != layer] == [
        "staging",
        "mart",
        "control",
        "certificates",
        "viz",
        "analytics",
    ]


def test_names_an_input_that_nobody_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento refuses an input that says nothing of itself, and names the file to write."""
    monkeypatch.setattr(dictionary, "FOLDER", tmp_path)
    with pytest.raises(TerminalError, match=r"shared/bi/staging/deliveries/model\.yaml is missing"):
        meanings()


def test_notices_a_page_that_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asiento's check fails while a page is missing or differs, names it, and writes nothing."""
    monkeypatch.setattr(dictionary, "_DOCS", tmp_path)
    monkeypatch.setattr(dictionary, "PAGES", {"page.md": lambda: "today\n"})
    assert main(["--check"]) == 1
    assert list(tmp_path.iterdir()) == []
    assert main([]) == 0
    assert main(["--check"]) == 0
    (tmp_path / "page.md").write_text("yesterday\n", encoding="utf-8")
    assert main(["--check"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "docs/page.md is out of date: run `make generate`"
