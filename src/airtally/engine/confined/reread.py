"""The text that is about to run, as the engine's own parser reads it: the second wall behind `sql/dsl/`.

Were the text that was rendered read in another way by the engine than by sqlglot, it would be seen here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterator
from typing import Any

from airtally.engine.confined.errors import code_in
from airtally.sql.dsl.functions import ENGINE_FUNCTIONS

_TABLE_FUNCTIONS = {"unnest"}
#: The engine's tree has two levels for each term of a chain.
_MAX_LEVELS = 10_000


class EngineTreeRefused(Exception):
    """The engine reads what the check does not allow, called `name`, or cannot read the text, for the reason `code`."""

    def __init__(self, name: str, code: str = "refused") -> None:
        super().__init__(name)
        self.name, self.code = name, code


def refuse_unlisted(connection: Any, text: str, tables: Collection[str]) -> None:
    """Raises EngineTreeRefused unless `text` is one query over `tables` and its own CTEs with listed functions."""
    (serialized,) = connection.execute("SELECT json_serialize_sql($text)", {"text": text}).fetchone()
    tree = _tree(serialized)
    if tree.get("error") or len(tree["statements"]) != 1:
        code, _ = code_in(str(tree.get("error_message"))) or ("refused", "")
        raise EngineTreeRefused("statement", code)
    nodes = list(_dictionaries(tree))
    names = {*tables, *(entry["key"] for node in nodes for entry in _cte_entries(node))}
    for node in nodes:
        if node.get("type") == "BASE_TABLE":
            _check_base_table(node, names)
        elif node.get("type") == "TABLE_FUNCTION" and node["function"]["function_name"] not in _TABLE_FUNCTIONS:
            raise EngineTreeRefused(node["function"]["function_name"])
        elif node.get("class") == "FUNCTION" and not _is_listed(node):
            raise EngineTreeRefused(node["function_name"])


def _tree(serialized: str) -> Any:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(_MAX_LEVELS)
    try:
        return json.loads(serialized)
    finally:
        sys.setrecursionlimit(limit)


def _dictionaries(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _cte_entries(node: dict[str, Any]) -> list[dict[str, Any]]:
    ctes = node.get("cte_map")
    return ctes["map"] if isinstance(ctes, dict) else []


def _check_base_table(node: dict[str, Any], names: Collection[str]) -> None:
    name = node["table_name"]
    if name not in names or node.get("schema_name") or node.get("catalog_name") or node.get("at_clause"):
        raise EngineTreeRefused(name)


def _is_listed(node: dict[str, Any]) -> bool:
    return bool(node.get("is_operator")) or node["function_name"].lower() in ENGINE_FUNCTIONS
