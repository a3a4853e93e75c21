"""The rows of a question, for threads and for asyncio. Nothing is asked before they are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from airtally.client.asking import (
    ARROW,
    Asked,
    Paging,
    RowsPage,
    TablePage,
    joined_tables,
    read_rows_page,
    read_table_page,
)
from airtally.client.exchange import Exchange
from airtally.client.messages import JSON

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

T = TypeVar("T")


class QueryRows:
    """Iterate over it for one dict a row, read page by page; or take all rows in the form that you need.

    Each use asks the server anew. Every method raises AirtallyError.
    """

    def __init__(self, asked: Asked, run: Callable[[Exchange[Any]], Any]) -> None:
        self._asked, self._run = asked, run

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for page in self.pages():
            yield from page.rows

    def pages(self) -> Iterator[RowsPage]:
        """Pages of rows, each with what its answer says of itself."""
        yield from self._each(Paging(self._asked, JSON, read_rows_page))

    def tables(self) -> Iterator[TablePage]:
        """Pages as Arrow tables."""
        yield from self._each(Paging(self._asked, ARROW, read_table_page))

    def rows(self) -> list[dict[str, Any]]:
        return list(self)

    def arrow(self) -> pa.Table:
        return joined_tables([page.table for page in self.tables()])

    def pandas(self) -> pd.DataFrame:
        """Raises ImportError without pandas."""
        return self.arrow().to_pandas()

    def polars(self) -> pl.DataFrame:
        """Raises ImportError without Polars."""
        return as_polars(self.arrow())

    def _each(self, paging: Paging[Any]) -> Iterator[Any]:
        while (steps := paging.steps()) is not None:
            yield self._run(steps)


class AsyncQueryRows:
    """`QueryRows` for asyncio: iterate with `async for`, await the rest."""

    def __init__(self, asked: Asked, run: Callable[[Exchange[Any]], Awaitable[Any]]) -> None:
        self._asked, self._run = asked, run

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        async for page in self.pages():
            for row in page.rows:
                yield row

    async def pages(self) -> AsyncIterator[RowsPage]:
        async for page in self._each(Paging(self._asked, JSON, read_rows_page)):
            yield page

    async def tables(self) -> AsyncIterator[TablePage]:
        async for page in self._each(Paging(self._asked, ARROW, read_table_page)):
            yield page

    async def rows(self) -> list[dict[str, Any]]:
        return [row async for row in self]

    async def arrow(self) -> pa.Table:
        return joined_tables([page.table async for page in self.tables()])

    async def pandas(self) -> pd.DataFrame:
        return (await self.arrow()).to_pandas()

    async def polars(self) -> pl.DataFrame:
        return as_polars(await self.arrow())

    async def _each(self, paging: Paging[Any]) -> AsyncIterator[Any]:
        while (steps := paging.steps()) is not None:
            yield await self._run(steps)


def as_polars(table: pa.Table) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 (optional)

    return pl.from_arrow(table)
