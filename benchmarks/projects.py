"""Our own models and checks as a project of dbt and as one of SQLMesh, so that the peers build the same thing.

Models that are parameterised by a build get the build's values as literals. Both read what the models read, ready, as
tables: loading, certificates and publication are ours alone. No check stops what follows it: a season without the
processors' answers has findings, and the measure is of all the work.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from shared.adapters.embedded.warehouse import render
from shared.bi.certification import catalog, checks_in_order
from shared.bi.models import Check, Model
from shared.bi.ordering import references

_PARAMETER = re.compile(r"\$(\w+)")

Values = Mapping[str, str | int]
"""What the models ask for, by name: build_id, open_month, as_of_ms."""

DBT_PROJECT = """name: asiento
version: "1.0"
config-version: 2
profile: asiento
"""
DBT_PROFILE = """asiento:
  target: local
  outputs:
    local: {{type: duckdb, path: {database}, threads: {threads}}}
"""
DBT_SCHEMA = "{% macro generate_schema_name(name, node) -%}{{ name }}{%- endmacro %}\n"
SQLMESH_CONFIG = """gateways:
  local:
    connection: {{type: duckdb, database: {database}}}
default_gateway: local
model_defaults: {{dialect: duckdb}}
disable_anonymized_analytics: true
"""


def dbt_project(folder: Path, database: Path, values: Values, threads: int) -> Path:
    """Write the models as a dbt project over a database, and return its folder."""
    models = catalog()
    referring = _refs(models)
    _write(folder / "dbt_project.yml", DBT_PROJECT)
    _write(folder / "profiles.yml", DBT_PROFILE.format(database=database, threads=threads))
    _write(folder / "macros" / "schema.sql", DBT_SCHEMA)
    for model in models:
        layer, _, name = model.name.partition(".")
        kind = "view" if model.is_view else "table"
        head = f"{{{{ config(materialized='{kind}', schema='{layer}', alias='{name}') }}}}\n"
        _write(folder / "models" / f"{layer}__{name}.sql", head + referring(_query(model, values)))
    for check in checks_in_order(models):
        body = f"{{{{ config(severity='warn') }}}}\n{referring(_literal(check.sql, values))}"
        _write(folder / "tests" / f"{_flat(check.name)}.sql", body)
    return folder


def sqlmesh_project(folder: Path, database: Path, values: Values) -> Path:
    """Write the models as a SQLMesh project over a database, each check as an audit of the last model that it reads."""
    models = catalog()
    order = [model.name for model in models]
    audits: dict[str, list[Check]] = {name: [] for name in order}
    for check in checks_in_order(models):
        own = check.name.rpartition(".")[0]
        audits[max([own, *_models_in(check.sql, order)], key=order.index)].append(check)
    _write(folder / "config.yaml", SQLMESH_CONFIG.format(database=database))
    for model in models:
        _write(folder / "models" / f"{_flat(model.name)}.sql", _sqlmesh_model(model, audits[model.name], order, values))
    for check in checks_in_order(models):
        body = f"AUDIT (name {_flat(check.name)}, blocking false);\n{_literal(check.sql, values)}"
        _write(folder / "audits" / f"{_flat(check.name)}.sql", body)
    return folder


def _sqlmesh_model(model: Model, audits: Sequence[Check], order: Sequence[str], values: Values) -> str:
    reads = {name for sql in (model.sql, *(check.sql for check in audits)) for name in _models_in(sql, order)}
    parts = [
        f"name {model.name}",
        f"kind {'VIEW' if model.is_view else 'FULL'}",
        f"depends_on ({', '.join(sorted(reads - {model.name}))})",
        f"audits ({', '.join(_flat(check.name) for check in audits)})",
    ]
    said = ", ".join(part for part in parts if not part.endswith("()"))
    return f"MODEL ({said});\n{_query(model, values)}"


def _models_in(sql: str, order: Sequence[str]) -> list[str]:
    """Return the models that a query reads; what is loaded is none."""
    return [name for name in references(sql) if name in order]


def _query(model: Model, values: Values) -> str:
    """Return the rows of a model for one build; a view shows what is published and knows no build."""
    if model.is_view:
        return _literal(model.sql, values)
    names = ", ".join(column.name for column in model.columns)
    return _literal(f"SELECT @build_id AS build_id, {names} FROM (\n{model.sql}\n)", values)  # noqa: S608  columns of ours


def _literal(sql: str, values: Values) -> str:
    rendered, _ = render(sql)

    def written(found: re.Match[str]) -> str:
        value = values[found[1]]
        return str(value) if isinstance(value, int) else f"'{value}'"

    return _PARAMETER.sub(written, rendered)


def _refs(models: tuple[Model, ...]) -> Callable[[str], str]:
    """Return how SQL names the models that it reads in dbt; braces that are SQL's own are kept apart from Jinja's."""
    names = re.compile(rf"\b({'|'.join(sorted((re.escape(each.name) for each in models), key=len, reverse=True))})\b")

    def referring(sql: str) -> str:
        apart = sql.replace("{{", "{ {").replace("}}", "} }").replace("{%", "{ %").replace("{#", "{ #")
        return names.sub(lambda found: f"{{{{ ref('{_dbt_name(found[1])}') }}}}", apart)

    return referring


def _dbt_name(model: str) -> str:
    return model.replace(".", "__")


def _flat(name: str) -> str:
    return name.replace(".", "_")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
