"""The client in a notebook, whose kernel runs an event loop of its own."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = (
    """
from airtally import AsyncClient, Client
from airtally.client import BatchSize
rows = [{"player_id": 1, "media_id": n, "played_at": "2026-10-01T08:00:00"} for n in range(1000)]
client = Client(URL, TOKEN)
print(client.send("playlogs", rows, size=BatchSize(rows=300)).accepted)
""",
    """
print(client.query("playlogs").rows())
client.query("playlogs", dimensions="player_id").pandas()
""",
    """
async with AsyncClient(URL, TOKEN) as other:
    print((await other.send("playlogs", rows)).accepted)
    print(await other.query("playlogs").rows())
    print([page.count async for page in other.query("playlogs", dimensions="media_id", page_rows=600).pages()])
""",
    """
import asyncio
print(await asyncio.gather(*(asyncio.to_thread(client.query("playlogs").rows) for _ in range(3))))
client.close()
""",
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_notebook(client_server, native):
    first = f"URL, TOKEN = {client_server.url!r}, {native.token!r}"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (first, *CELLS)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    printed = ["".join(out.get("text", "") for out in cell.outputs) for cell in notebook.cells]
    assert printed[1:] == [
        "1000\n",
        "[{'count': 1000}]\n",
        "1000\n[{'count': 2000}]\n[600, 400]\n",
        "[[{'count': 2000}], [{'count': 2000}], [{'count': 2000}]]\n",
    ]
    assert "<table" in notebook.cells[2].outputs[1]["data"]["text/html"]
    assert native.count() == 2000
