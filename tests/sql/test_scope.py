"""A statement's text: an engine's own sources stand where the tree has relation names, cut to the account."""

from __future__ import annotations

from pathlib import Path

from sqlglot import exp

from airtally.sql.compiler import column
from airtally.sql.members import member_text
from airtally.sql.scope import of_account, written
from airtally.sql.statement import Rows
from airtally.streams import PLAYLOGS
from fixtures.snapshots import HandMade


def test_each_use_of_a_relation_is_the_source_under_the_relations_name():
    tree = exp.select("*").from_("rows").join("rows", on="true", join_alias="other")
    text = written(tree, {"rows": exp.select("1").from_("files")}, "duckdb")
    assert text == ("SELECT * FROM (SELECT 1 FROM files) AS rows JOIN (SELECT 1 FROM files) AS other ON TRUE")
    assert tree.find(exp.Table).name == "rows", "the tree itself stays as it is"


def test_a_member_inside_a_source_gets_the_dialects_form():
    tree = exp.select(member_text(column("a"), exp.Literal.string("m"))).from_("rows")
    assert "_MEMBER_TEXT" not in written(tree, {}, "duckdb")
    assert "FROM_JSON" in written(tree, {}, "spark")


def test_stored_rows_come_in_by_the_account_alone(tmp_path: Path):
    snapshot = HandMade(tmp_path, PLAYLOGS).snapshot(PLAYLOGS, "acme")
    text = of_account(exp.to_table("files"), Rows.all_of(snapshot), "owner").sql("duckdb")
    assert text.endswith('FROM files WHERE "account" = $owner')
    assert '"writer_id"' in text
    assert '"day"' not in text


def test_files_of_an_earlier_schema_are_read_under_todays_names(tmp_path: Path):
    snapshot = HandMade(tmp_path, PLAYLOGS).snapshot(PLAYLOGS, "acme")
    earlier = frozenset(PLAYLOGS.stored_schema.names) - {"writer_id", "day"} | {"machine"}
    text = of_account(exp.to_table("files"), Rows.all_of(snapshot), "owner", earlier).sql("duckdb")
    assert '"machine" AS "writer_id"' in text
