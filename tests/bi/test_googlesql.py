"""The models before the real GoogleSQL analyser: what DuckDB runs here is what BigQuery will read."""

import os
from collections.abc import Mapping
from typing import Any

import pytest

from shared.bi.certification import catalog
from shared.bi.inputs import INPUTS
from shared.bi.models import CHECK_COLUMNS, TRACE_COLUMNS, Model
from shared.pipeline.rebuild_bi import PUBLISH


@pytest.fixture(scope="module")
def analyse() -> Any:
    """Return the analyser with every table that the models may read; it takes seconds to load and milliseconds to answer."""
    try:
        from zetasql.api import Analyzer, CatalogBuilder, TableBuilder  # noqa: PLC0415  slow to load, and not everywhere
        from zetasql.types import (  # noqa: PLC0415  as above
            AnalyzerOptions,
            LanguageOptions,
            TypeKind,
            ZetaSQLBuiltinFunctionOptions,
        )
    except ImportError:
        if os.environ.get("CI"):
            pytest.fail("zetasql must be installed where CI is set")
        pytest.skip("zetasql is not installed")

    language = LanguageOptions.maximum_features()
    functions = ZetaSQLBuiltinFunctionOptions(language_options=language)
    root = CatalogBuilder("warehouse").with_builtin_functions(functions).build()
    datasets: dict[str, Any] = {}
    for name, columns in tables().items():
        dataset, _, table_name = name.partition(".")
        table = TableBuilder(table_name)
        for column, kind in columns.items():
            table.add_column(column, getattr(TypeKind, f"TYPE_{kind}"))
        datasets.setdefault(dataset, CatalogBuilder(dataset)).add_table(table.build())
    root.catalog.extend(dataset.build() for dataset in datasets.values())
    analyzer = Analyzer(AnalyzerOptions(language_options=language, allow_undeclared_parameters=True), root)

    def columns_of(sql: str) -> list[tuple[str, str]]:
        resolved = analyzer.analyze_statement(sql)
        answered = getattr(resolved, "output_column_list", None) or []
        return [(each.name, TypeKind(each.column.type.type_kind).name.removeprefix("TYPE_")) for each in answered]

    return columns_of


def tables() -> dict[str, Mapping[str, str]]:
    """Return every input and model with its columns, as they are in the warehouse."""
    models = {
        model.name: {column.name: column.type for column in model.columns} if model.is_view else model.stored_columns
        for model in catalog()
    }
    return {**{each.name: each.columns for each in INPUTS}, **models}


@pytest.mark.parametrize("model", catalog(), ids=lambda model: model.name)
def test_means_in_googlesql_what_it_says(model: Model, analyse: Any) -> None:
    """Asiento's model gives in GoogleSQL the very columns and types that its description says, its checks and traces too."""
    assert analyse(model.sql) == [(column.name, column.type) for column in model.columns]
    if not model.is_view:
        assert analyse(model.insert_sql) == []
    for check in model.checks:
        assert analyse(check.sql) == [(name, "STRING") for name in CHECK_COLUMNS], check.name
    for trace in model.traces:
        assert analyse(trace.sql) == list(zip(TRACE_COLUMNS, ("STRING", "STRING", "INT64"), strict=True)), trace.figure


def test_publishes_in_one_statement_of_googlesql(analyse: Any) -> None:
    """Asiento's publication is one statement that GoogleSQL accepts."""
    assert analyse(PUBLISH) == []


def test_would_see_a_model_that_is_none(analyse: Any) -> None:
    """Asiento's analyser refuses a column that is not there: a test that passes has looked."""
    with pytest.raises(Exception, match="Unrecognized name: nothing"):
        analyse("SELECT nothing FROM mart.fact_ticket")
