"""The models before the real GoogleSQL analyser: what DuckDB runs here is what BigQuery will read."""

import os
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import pytest

from shared.bi.certification import catalog
from shared.bi.inputs import INPUTS
from shared.bi.models import CHECK_COLUMNS, TRACE_COLUMNS
from shared.bi.publication import CANDIDATES, FIGURES, PUBLISH, begun_sql, contents_sql, prune_sql

PARAMETERS = {
    "build_id": "STRING",
    "open_month": "STRING",
    "as_of_ms": "INT64",
    "business_day": "DATE",
    "route_id": "STRING",
    "processor": "STRING",
    "method": "STRING",
    "currency": "STRING",
    "business_unit": "STRING",
}
"""What statements of Asiento may ask for."""

Analyse = Callable[[str], list[tuple[str, str]]]
"""From a statement to the columns and types of its answer."""


@pytest.fixture(scope="module")
def analyse(request: pytest.FixtureRequest) -> Iterator[Analyse]:
    """Return the analyser with every table that the models may read; compiled once and kept in pytest's cache."""
    if find_spec("zetasql") is None:
        if os.environ.get("CI"):
            pytest.fail("zetasql must be installed where CI is set")
        pytest.skip("zetasql is not installed")
    with pytest.MonkeyPatch.context() as patch:
        _compile_once(patch, request.config.cache)
        yield _analyser()


def _analyser() -> Analyse:
    # Imported here: it is slow to load, and not everywhere.
    from zetasql.api import Analyzer, CatalogBuilder, TableBuilder  # noqa: PLC0415
    from zetasql.types import (  # noqa: PLC0415
        AnalyzerOptions,
        LanguageOptions,
        Type,
        TypeKind,
        ZetaSQLBuiltinFunctionOptions,
    )

    def kind(name: str) -> Any:
        return getattr(TypeKind, f"TYPE_{name}")

    language = LanguageOptions.maximum_features()
    functions = ZetaSQLBuiltinFunctionOptions(language_options=language)
    root = CatalogBuilder("warehouse").with_builtin_functions(functions).build()
    datasets: dict[str, Any] = {}
    for name, columns in tables().items():
        dataset, _, table_name = name.partition(".")
        table = TableBuilder(table_name)
        for column, type_name in columns.items():
            table.add_column(column, kind(type_name))
        datasets.setdefault(dataset, CatalogBuilder(dataset)).add_table(table.build())
    root.catalog.extend(dataset.build() for dataset in datasets.values())
    declared = [
        AnalyzerOptions.QueryParameter(name=name, type=Type(type_kind=kind(type_name)))
        for name, type_name in PARAMETERS.items()
    ]
    analyzer = Analyzer(AnalyzerOptions(language_options=language, query_parameters=declared), root)

    def columns_of(sql: str) -> list[tuple[str, str]]:
        resolved = analyzer.analyze_statement(sql)
        answered = getattr(resolved, "output_column_list", None) or []
        return [(each.name, TypeKind(each.column.type.type_kind).name.removeprefix("TYPE_")) for each in answered]

    return columns_of


def _compile_once(patch: pytest.MonkeyPatch, cache: pytest.Cache | None) -> None:
    """Keep the compiled analyser: compiling it takes most of half a minute, loading what was compiled does not."""
    if cache is None:
        return
    from wasmtime import Module, WasmtimeError  # noqa: PLC0415  comes with zetasql

    compiled = cache.mkdir("googlesql") / f"zetasql-{version('zetasql')}-wasmtime-{version('wasmtime')}.cwasm"
    compile_file = Module.from_file

    def from_file(engine: Any, path: str) -> Any:
        try:
            return Module.deserialize_file(engine, str(compiled))
        except (WasmtimeError, FileNotFoundError):
            module = compile_file(engine, path)
            compiled.write_bytes(bytes(module.serialize()))
            return module

    patch.setattr(Module, "from_file", from_file)


def tables() -> dict[str, Mapping[str, str]]:
    """Return every input and model with its columns, as they are in the warehouse."""
    models = {
        model.name: {column.name: column.type for column in model.columns} if model.is_view else model.stored_columns
        for model in catalog()
    }
    return {**{each.name: each.columns for each in INPUTS}, **models}


def statements() -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Yield the name of every statement, its text, and the columns with which it must answer."""
    for model in catalog():
        yield model.name, model.sql, [(column.name, column.type) for column in model.columns]
        if not model.is_view:
            yield f"{model.name} (write)", model.insert_sql, []
            yield f"{model.name} (prune)", prune_sql(model), []
            yield f"{model.name} (begun)", begun_sql(model), [("build_id", "STRING")]
        yield f"{model.name} (contents)", contents_sql(model), [(column.name, column.type) for column in model.columns]
        for check in model.checks:
            yield check.name, check.sql, [(name, "STRING") for name in CHECK_COLUMNS]
        for trace in model.traces:
            types = ("STRING", "STRING", "INT64")
            yield f"{model.name}.{trace.figure}", trace.sql, list(zip(TRACE_COLUMNS, types, strict=True))
    yield "publication", PUBLISH, []
    grain = [(name, "STRING") for name in ("month", "currency", "business_unit")]
    yield "candidates", CANDIDATES, grain
    counts = ("ledger_count", "ledger_minor", "control_count", "control_minor")
    yield "figures", FIGURES, [*grain, ("figure", "STRING"), *((name, "INT64") for name in counts)]


# One test, so that parallel workers load the analyser once.
def test_means_in_googlesql_what_it_says(analyse: Analyse) -> None:
    """Asiento's models, checks and traces give in GoogleSQL the very columns and types that their descriptions say."""
    with pytest.raises(Exception, match="Unrecognized name: nothing"):
        analyse("SELECT nothing FROM mart.fact_ticket")
    said = {name: columns for name, _, columns in statements()}
    assert {name: analyse(sql) for name, sql, _ in statements()} == said
    assert len(said) > 100
