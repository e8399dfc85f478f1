"""Asiento's plans for DuckDB answer what the statement asks for, and read bodies as few times as they can."""

import json
import random
from typing import Any

import duckdb
import pytest
import sqlglot

from shared.adapters.embedded.plans import planned

SEED = 20260311
STATEMENTS = {
    "paths of one body": """
        SELECT id, JSON_VALUE(body, '$.a') AS a, LOWER(JSON_VALUE(body, '$.b.c')) AS c, JSON_QUERY(body, '$.b') AS b,
          COALESCE(NULLIF(JSON_VALUE(body, '$.d'), ''), JSON_VALUE(body, '$.a'), 'none') AS d,
          JSON_QUERY(body, '$.items') AS items
        FROM rows WHERE JSON_VALUE(body, '$.d') IS NOT NULL OR id > 10
    """,
    "a path under a condition": """
        SELECT id, CASE WHEN id > 100 THEN JSON_VALUE(body, '$.a') ELSE JSON_VALUE(body, '$.d') END AS chosen FROM rows
    """,
    "an array of each row": """
        WITH lists AS (SELECT id, body FROM rows WHERE STARTS_WITH(JSON_QUERY(body, '$.items'), '['))
        SELECT id, JSON_VALUE(item, '$.n') AS n, JSON_VALUE(item, '$.x') AS x
        FROM lists, UNNEST(JSON_QUERY_ARRAY(body, '$.items')) AS item
    """,
    "an array with places": """
        WITH lists AS (SELECT id, body FROM rows WHERE STARTS_WITH(JSON_QUERY(body, '$.items'), '['))
        SELECT id, JSON_VALUE(item, '$.n') AS n, place - MIN(place) OVER (PARTITION BY id) AS place
        FROM lists, UNNEST(JSON_QUERY_ARRAY(body, '$.items')) AS item WITH OFFSET AS place
    """,
    "a list of columns, named by the row's table": """
        SELECT sold.id, each_half FROM rows AS sold CROSS JOIN UNNEST([sold.id, sold.half]) AS each_half
        WHERE each_half IS NOT NULL
    """,
    "a list before a join": """
        SELECT sold.id, value, other.half FROM rows AS sold CROSS JOIN UNNEST([sold.half]) AS value
        LEFT JOIN rows AS other ON other.id = value
    """,
    "grouped by values of a body": """
        SELECT JSON_VALUE(body, '$.a') AS a, JSON_VALUE(body, '$.d') AS d, COUNT(each) AS halves
        FROM rows, UNNEST([half]) AS each GROUP BY JSON_VALUE(body, '$.a'), JSON_VALUE(body, '$.d')
    """,
    "rows read twice": """
        WITH few AS (SELECT * FROM main.rows WHERE id < 50)
        SELECT few.id, other.half FROM few INNER JOIN few AS other ON other.id = few.half
    """,
}
"""Statements of every shape that the models have."""


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    """A table of bodies in which anything may be absent, null, empty or of another type than was hoped for."""
    draw = random.Random(SEED)  # noqa: S311  a seeded test
    made = duckdb.connect()
    made.execute("CREATE TABLE rows (id BIGINT, half BIGINT, body VARCHAR)")
    bodies = [(at, at // 2 if at % 3 else None, json.dumps(_body(draw)) if at % 7 else None) for at in range(200)]
    made.executemany("INSERT INTO rows VALUES (?, ?, ?)", bodies)
    return made


def _body(draw: random.Random) -> dict[str, Any]:
    anything = ("", "Text", 'ñandú "x"', 7, 12.5, True, None, {"c": "C"}, [1, 2])
    items: tuple[Any, ...] = ([], None, "no list", [{"n": 1}], [{"n": 1, "x": "y"}, {"n": None}, {"x": {"deep": 1}}])
    return {name: draw.choice(items if name == "items" else anything) for name in "abd" if draw.random() < 0.8} | {
        "items": draw.choice(items)
    }


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_a_plan_answers_the_same(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Asiento gets the same rows from a planned statement as from the statement as it stands."""
    parsed = sqlglot.parse_one(statement, read="bigquery")
    as_it_stands = parsed.sql(dialect="duckdb")
    as_planned = planned(parsed).sql(dialect="duckdb")
    assert as_planned != as_it_stands
    rows = connection.sql(as_it_stands).fetchall()
    assert rows
    assert sorted(connection.sql(as_planned).fetchall(), key=repr) == sorted(rows, key=repr)


def test_a_body_is_parsed_once_for_all_its_values(connection: duckdb.DuckDBPyConnection) -> None:
    """Asiento lets DuckDB read all values that one select takes of a body in one pass."""
    sql = "SELECT JSON_VALUE(body, '$.a') AS a, JSON_VALUE(body, '$.b.c') AS c, JSON_VALUE(body, '$.d') AS d FROM rows"
    assert _plan(connection, sql).count("json_value(body") == 1


def test_a_row_is_not_joined_with_its_own_array(connection: duckdb.DuckDBPyConnection) -> None:
    """Asiento opens an array of a body without hashing the bodies."""
    sql = "SELECT id, item FROM rows, UNNEST(JSON_QUERY_ARRAY(body, '$.items')) AS item"
    assert "Join" not in _plan(connection, sql)


def test_rows_that_are_only_picked_are_not_held(connection: duckdb.DuckDBPyConnection) -> None:
    """Asiento holds no copy of bodies in memory because two steps read them."""
    sql = """
        WITH picked AS (SELECT * FROM main.rows WHERE id > 1)
        SELECT JSON_QUERY(body, '$.a') AS x FROM picked UNION ALL SELECT body FROM picked WHERE half > 3
    """
    assert "CTE" not in _plan(connection, sql)


def _plan(connection: duckdb.DuckDBPyConnection, statement: str) -> str:
    sql = planned(sqlglot.parse_one(statement, read="bigquery")).sql(dialect="duckdb")
    ((_, plan),) = connection.sql(f"EXPLAIN {sql}").fetchall()
    return str(plan)
