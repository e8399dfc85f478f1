"""The models before the real GoogleSQL analyser: what DuckDB runs here is what BigQuery will read."""

import os
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import pytest

from local.report import figures as report
from shared.bi.cells import turned_round
from shared.bi.certification import catalog
from shared.bi.inputs import CERTIFICATE, INPUTS, RESTATEMENT
from shared.bi.models import CHECK_COLUMNS, TRACE_COLUMNS, read_free_views
from shared.bi.publication import (
    ACCEPTED,
    CANDIDATES,
    COMPLETED,
    FIGURES,
    PUBLISH,
    PUBLISHED_CERTIFICATES,
    begun_sql,
    contents_sql,
    prune_sql,
)
from shared.bi.restatement import FIGURES_MODEL, KEPT, changed_items_sql
from shared.pipeline.beancount import BALANCES, POSTINGS
from shared.pipeline.shadows import comparison_sql

PARAMETERS = {
    "build_id": "STRING",
    "open_month": "STRING",
    "as_of_ms": "INT64",
    "earlier_build_id": "STRING",
    "entity": "STRING",
} | {
    column.name: column.type
    for model in catalog()
    for column in model.columns
    if column.name in model.key_columns and model.is_view
}
"""What statements of Asiento may ask for: what a build gives them, and the columns that name the row of a view."""

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
        _compile_once(patch, getattr(request.config, "cache", None))  # absent where the plugin is switched off
        yield _analyser()


def _analyser() -> Analyse:
    # Imported here: it is slow to load, and not everywhere.
    from zetasql.api import CatalogBuilder, TableBuilder  # noqa: PLC0415
    from zetasql.core.local_service import ZetaSqlLocalService, local_service_pb2  # noqa: PLC0415
    from zetasql.types import (  # noqa: PLC0415
        AnalyzeRequest,
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
    options = AnalyzerOptions(language_options=language, query_parameters=declared)
    # Registered once: given with each statement, the catalog costs more than all analysis.
    service = ZetaSqlLocalService.get_instance()
    known = service.register_catalog(simple_catalog=root).registered_id

    def columns_of(sql: str) -> list[tuple[str, str]]:
        request = AnalyzeRequest(sql_statement=sql, options=options, registered_catalog_id=known).to_proto()
        # The answer as it comes: to turn the whole tree into the package's own classes costs as much as all analysis.
        response = service.wasm_client.call_grpc_func(
            "ZetaSqlLocalService_Analyze", request, local_service_pb2.AnalyzeResponse
        )
        answered = response.resolved_statement.resolved_query_stmt_node.output_column_list
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


_TOLD_OF_BALANCES = (("account_type", "STRING"), ("opening_minor", "INT64"), ("closing_minor", "INT64"))
_TOLD_OF_POSTINGS = (("entry_day", "DATE"), ("entry_id", "STRING"), ("entry_type", "STRING"), ("source", "STRING"))


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
        if model.shadow_sql:
            said = [(column.name, column.type) for column in model.columns]
            yield f"{model.name} (shadow)", model.shadow_sql, said
            counts = ("same", "only_shown", "only_shadow", "different")
            yield (
                f"{model.name} (compared)",
                comparison_sql(model),
                [*((n, "INT64") for n in counts), ("first", "STRING")],
            )
        for trace in model.traces:
            types = ("STRING", "STRING", "INT64")
            yield f"{model.name}.{trace.figure}", trace.sql, list(zip(TRACE_COLUMNS, types, strict=True))
    for view in read_free_views():
        yield view.name, view.sql, [(column.name, column.type) for column in view.columns]
    yield "publication", PUBLISH, []
    kept = (("account", "STRING"), ("business_unit", "STRING"), ("currency", "STRING"))
    yield "export of balances", BALANCES, [*kept, *_TOLD_OF_BALANCES]
    yield "export of postings", POSTINGS, [*_TOLD_OF_POSTINGS, *kept, ("amount_minor", "INT64")]
    grain = [(name, "STRING") for name in ("month", "currency", "business_unit")]
    yield "candidates", CANDIDATES, grain
    counts = ("ledger_count", "ledger_minor", "control_count", "control_minor")
    yield "figures", FIGURES, [*grain, ("figure", "STRING"), *((name, "INT64") for name in counts)]
    yield from statements_of_certificates()
    yield from statements_of_the_way_forward()
    yield from statements_of_the_report()


def statements_of_certificates() -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Yield what is asked of certificates and restatements."""
    figures = next(model for model in catalog() if model.name == FIGURES_MODEL)
    yield "published certificates", PUBLISHED_CERTIFICATES, list(CERTIFICATE.columns.items())
    yield "restatements", KEPT, list(RESTATEMENT.columns.items())
    texts = ("month", "currency", "business_unit", "exception_id", "kind", "subject")
    decided = (("decision", "STRING"), ("decided_by", "STRING"), ("reason", "STRING"), ("decided_at_ms", "INT64"))
    at_risk = (("at_risk_minor", "INT64"), ("at_risk_currency", "STRING"))
    yield "accepted", ACCEPTED, [*((name, "STRING") for name in texts), *at_risk, *decided]
    counted = ("days_in_month", "days_complete", "listed", "present")
    listing = [(name, "STRING") for name in ("month", "provider", "kind")]
    yield "completed", COMPLETED, [*listing, *((name, "INT64") for name in counted)]
    entity = [(name, "STRING") for name in ("figure", "entity")]
    yield "changed items", changed_items_sql(figures), [*entity, ("was_minor", "INT64"), ("is_minor", "INT64")]


def statements_of_the_way_forward() -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Yield every trace, turned round."""
    for model in catalog():
        types = {column.name: column.type for column in model.columns}
        for trace in model.traces:
            turned = turned_round(model, trace)
            keys = [(f"key_{name}", types[name]) for name in model.key_columns]
            yield f"{model.name}.{trace.figure} (turned)", turned.sql, [*keys, ("amount", "INT64")]
            if turned.part_sql:
                yield f"{model.name}.{trace.figure} (part)", turned.part_sql, [("amount", "INT64")]


def statements_of_the_report() -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Yield what the report asks of viz."""
    grain = [(name, "STRING") for name in ("month", "currency", "business_unit")]
    route = ("route_id", "STRING")

    def figures(*names: str) -> list[tuple[str, str]]:
        return [(name, "INT64") for name in names]

    coverage = ("seats_offered", "seats_sold", "seats_sold_of_offered", "boarded", "no_show", "fare_minor")
    moved = [("account", "STRING"), ("movement", "STRING"), ("amount_minor", "INT64")]
    yield "report: revenue", report.REVENUE, [*grain, *figures("tickets", "earned_minor")]
    yield "report: days", report.LARGEST_DAYS, [*grain, ("business_day", "DATE"), route, *figures("earned_minor")]
    yield "report: cash", report.CASH, [*grain, ("processor", "STRING"), *figures("captured_minor", "refunded_minor")]
    yield "report: movements", report.MOVEMENTS, [*grain, *moved]
    yield "report: coverage", report.COVERAGE, [*grain, route, *figures(*coverage)]


# One test, so that parallel workers load the analyser once.
def test_means_in_googlesql_what_it_says(analyse: Analyse) -> None:
    """Asiento's models, checks and traces give in GoogleSQL the very columns and types that their descriptions say."""
    with pytest.raises(Exception, match="Unrecognized name: nothing"):
        analyse("SELECT nothing FROM mart.fact_ticket")
    said = {name: columns for name, _, columns in statements()}
    assert {name: analyse(sql) for name, sql, _ in statements()} == said
    assert len(said) > 100
