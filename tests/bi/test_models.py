"""Models: what a folder must say, the order that the SQL itself gives, and what may not be mixed."""

from dataclasses import replace
from pathlib import Path

import pytest

from shared.bi.certification import CHECKS, catalog, checks_in_order
from shared.bi.inputs import INPUTS
from shared.bi.models import CHECK_COLUMNS, FOLDER, LAYERS, Model, read_model, read_models
from shared.bi.ordering import ordered, references
from shared.domain.errors import TerminalError

ABOUT = """
description: Things.
grain: One row per thing.
owner: finance
columns:
  name: {type: STRING, description: What it is called.}
"""


def folder(tmp_path: Path, about: str = ABOUT, checks: str = "") -> Path:
    """Write a model's folder."""
    place = tmp_path / "mart" / "thing"
    place.mkdir(parents=True)
    (place / "model.sql").write_text("SELECT name FROM staging.thing\n", encoding="utf-8")
    (place / "model.yaml").write_text(about, encoding="utf-8")
    if checks:
        (place / "checks.sql").write_text(checks, encoding="utf-8")
    return place


def model(name: str, sql: str) -> Model:
    """Return a model of one column."""
    return Model(name, "", "One row per thing.", "finance", (), sql, (), (), is_view=False)


def test_reads_a_folder(tmp_path: Path) -> None:
    """Asiento reads a model with its grain, its columns and its checks."""
    checks = (
        "-- check: is_named\n-- Every thing has a name.\nSELECT 1;\n\n-- check: is_one\n-- One.\nSELECT 2\nFROM x;\n"
    )
    read = read_model(folder(tmp_path, checks=checks))
    assert (read.name, read.layer, read.grain, read.is_view) == ("mart.thing", "mart", "One row per thing.", False)
    assert [(check.name, check.promise, check.sql) for check in read.checks] == [
        ("mart.thing.is_named", "Every thing has a name.", "SELECT 1"),
        ("mart.thing.is_one", "One.", "SELECT 2\nFROM x"),
    ]
    assert read.stored_columns == {"build_id": "STRING", "name": "STRING"}
    assert read.insert_sql.startswith("INSERT INTO mart.thing (build_id, name)\nSELECT @build_id, name FROM (")


@pytest.mark.parametrize(
    ("about", "says"),
    [
        (ABOUT.replace("owner: finance\n", ""), r"mart\.thing/model\.yaml lacks owner"),
        (ABOUT.replace("One row per", "A row per"), "say the grain as 'One row per"),
        (ABOUT.replace("STRING", "FLOAT64"), r"mart\.thing\.name: model\.yaml must give a description and a type"),
        (
            ABOUT.replace(", description: What it is called.", ""),
            r"mart\.thing\.name: model\.yaml must give a description",
        ),
    ],
    ids=["owner", "grain", "float", "description"],
)
def test_names_what_a_folder_does_not_say(tmp_path: Path, about: str, says: str) -> None:
    """Asiento refuses a model that says less than it must, or that would hold money in a float."""
    with pytest.raises(TerminalError, match=says):
        read_model(folder(tmp_path, about))


@pytest.mark.parametrize(
    "checks", ["SELECT 1;\n", "-- check: named\nSELECT 1;\n", "-- check: named\n-- Says.\nSELECT 1\n"]
)
def test_refuses_a_check_that_would_not_be_run(tmp_path: Path, checks: str) -> None:
    """Asiento refuses a checks.sql with anything in it that it would not run."""
    with pytest.raises(TerminalError, match=r"thing/checks\.sql: write '-- check: name'"):
        read_model(folder(tmp_path, checks=checks))


def test_finds_the_order_in_the_sql() -> None:
    """Asiento builds a model after every model that its SQL reads, whatever the names."""
    first, second, third = (
        model("mart.z", "SELECT name FROM staging.thing"),
        model("mart.m", "WITH z AS (SELECT * FROM mart.z WHERE build_id = @build_id) SELECT name FROM z"),
        model("mart.a", "SELECT m.name FROM staging.thing AS s JOIN mart.m AS m ON m.build_id = @build_id"),
    )
    assert ordered([third, first, second], ["staging.thing"]) == (first, second, third)


def test_names_a_circle() -> None:
    """Asiento refuses models that read each other in a circle, and names the circle."""
    circle = [
        model("mart.a", "SELECT * FROM mart.b WHERE build_id = @build_id"),
        model("mart.b", "SELECT * FROM mart.c WHERE build_id = @build_id"),
        model("mart.c", "SELECT * FROM mart.a WHERE build_id = @build_id"),
    ]
    with pytest.raises(TerminalError, match=r"in a circle: mart\.(a reads mart\.b|b reads mart\.c|c reads mart\.a)"):
        ordered(circle, [])


def test_names_a_table_that_is_none() -> None:
    """Asiento refuses a model that reads a table that is neither model nor input, and names both."""
    with pytest.raises(TerminalError, match=r"mart\.a reads mart\.typo, staging\.typo, which is neither"):
        ordered([model("mart.a", "SELECT * FROM mart.typo, staging.typo")], ["staging.thing"])


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM mart.b",
        "SELECT * FROM mart.b WHERE build_id = 'build-1'",
        "SELECT * FROM mart.b AS b JOIN mart.b AS c ON c.name = b.name WHERE b.build_id = @build_id",
        "SELECT * FROM (SELECT * FROM mart.b) WHERE build_id = @build_id",
    ],
    ids=["none", "another", "one-of-two", "outside"],
)
def test_refuses_to_mix_builds(sql: str) -> None:
    """Asiento refuses a model that reads a built table without saying of which build."""
    with pytest.raises(TerminalError, match=r"mart\.a reads mart\.b without `WHERE build_id = @build_id`"):
        ordered([model("mart.a", sql), model("mart.b", "SELECT name FROM staging.thing")], ["staging.thing"])


# The models themselves


def test_runs_every_check_there_is() -> None:
    """Asiento runs every check of every model: one that is left out of the order, or of the models, is an error."""
    assert [check.name for check in checks_in_order(catalog())] == list(CHECKS)
    bereft = tuple(replace(each, checks=each.checks[1:]) for each in catalog())
    with pytest.raises(TerminalError, match="this one is in one"):
        checks_in_order(bereft)


def test_keeps_the_two_derivations_apart() -> None:
    """Asiento's control path reads nothing of the ledger path, directly or through another model."""
    models = {each.name: each for each in read_models()}
    ledger = {each.name for each in INPUTS if each.name.startswith("staging.")}
    # What became of a delivery, what was compared and what a person accepted decide only which deliveries are in doubt.
    ledger -= {"staging.deliveries", "staging.verdicts", "staging.compared_day", "staging.exception"}

    def reads(name: str) -> set[str]:
        found = set(references(models[name].sql)) if name in models else set()
        return found.union(*(reads(each) for each in found))

    control = reads("control.figure")
    assert "staging.deliveries" in control
    assert not control & ledger
    assert not {each for each in control if each.startswith(("mart.", "viz.", "certificates."))}
    assert not {each for each in reads("mart.figure") if each.startswith("control.")}
    assert "staging.deliveries" not in reads("mart.figure")


def test_shows_only_what_is_published() -> None:
    """Asiento's views read the mart joined with what is published, and nothing but viz reads the mart for people."""
    for each in read_models():
        if each.layer == "viz":
            assert each.is_view
            assert "certificates.published" in references(each.sql), each.name
            assert not {name for name in references(each.sql) if name.startswith(("staging.", "control."))}, each.name
            for trace in each.traces:
                assert "certificates.published" in references(trace.sql), f"{each.name}.{trace.figure}"


def test_has_a_folder_for_each_model_and_nothing_else() -> None:
    """Asiento's layers hold model folders only, each with its query and its description."""
    for layer in LAYERS:
        for place in sorted((FOLDER / layer).iterdir()):
            files = {each.name for each in place.iterdir()}
            optional = {"checks.sql", "traces.sql", "shadow.sql"}
            assert {"model.sql", "model.yaml"} <= files <= {"model.sql", "model.yaml", *optional}, place


def test_asks_the_same_columns_of_every_check() -> None:
    """Asiento's checks all say which month, currency and business unit they concern, and what is different."""
    assert CHECK_COLUMNS == ("month", "currency", "business_unit", "difference")
