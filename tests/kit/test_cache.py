from __future__ import annotations

import ast
import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from airtally.kit.cache import Cache, StoreCache


class Watch:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_the_least_recently_used_leave_first() -> None:
    cache: Cache[int, str] = Cache(2)
    cache.put(1, "a")
    cache.put(2, "b")
    assert cache.get(1) == "a"
    cache.put(3, "c")
    assert [cache.get(key) for key in (1, 2, 3)] == ["a", None, "c"]


def test_sizes_add_up_to_the_limit_at_most() -> None:
    cache: Cache[int, bytes] = Cache(10, size_of=len)
    for key in range(5):
        cache.put(key, bytes(4))
    assert [key for key in range(5) if cache.get(key) is not None] == [3, 4]
    cache.put(3, bytes(10))
    assert (len(cache), cache.get(3)) == (1, bytes(10))


def test_what_is_larger_than_the_cache_is_not_kept_and_nor_is_what_it_replaces() -> None:
    cache: Cache[int, bytes] = Cache(10, size_of=len)
    cache.put(1, b"old")
    cache.put(2, b"other")
    cache.put(1, bytes(11))
    assert (cache.get(1), cache.get(2)) == (None, b"other")
    nothing: Cache[int, int] = Cache(0)
    nothing.put(1, 1)
    assert nothing.get(1) is None


def test_an_entry_is_forgotten_so_long_after_it_was_put() -> None:
    watch = Watch()
    cache: Cache[int, str] = Cache(2, seconds=1, now=watch)
    cache.put(1, "a")
    watch.seconds += 0.9
    assert cache.get(1) == "a"
    watch.seconds += 0.1
    assert (cache.get(1), len(cache)) == (None, 0)
    cache.put(1, "b")
    assert cache.get(1) == "b"


def test_a_change_that_depends_on_what_is_there_meets_no_other() -> None:
    cache: Cache[str, int] = Cache(10)

    def count() -> None:
        for _ in range(2_000):
            with cache.locked() as entries:
                entries["calls"] = entries.get("calls", 0) + 1

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert cache.get("calls") == 8_000


def test_popped_and_cleared() -> None:
    cache: Cache[int, str] = Cache(5)
    for key in (1, 2, 3):
        cache.put(key, "a")
    assert (cache.pop(1), cache.pop(1), len(cache)) == ("a", None, 2)
    cache.clear()
    assert len(cache) == 0


def test_what_was_read_before_a_write_is_not_kept() -> None:
    kept: StoreCache[int, str] = StoreCache(2, 60)
    before = kept.generation
    kept.put_written({1: "new"})
    kept.put_read({1: "old", 2: "old"}, before)
    assert (kept.get(1), kept.get(2)) == ("new", None)


def test_what_was_read_before_all_was_forgotten_is_not_kept() -> None:
    kept: StoreCache[int, str] = StoreCache(2, 60)
    kept.put_read({1: "a"}, kept.generation)
    before = kept.generation
    kept.clear()
    kept.put_read({2: "b"}, before)
    assert (kept.get(1), kept.get(2)) == (None, None)


def test_what_a_store_said_is_bounded_in_number_and_time() -> None:
    watch = Watch()
    kept: StoreCache[int, str] = StoreCache(2, 1, watch)
    kept.put_read({1: "a", 2: "b"}, kept.generation)
    kept.put_read({1: "c"}, kept.generation)
    kept.put_read({3: "d"}, kept.generation)
    assert [kept.get(key) for key in (1, 2, 3)] == ["c", None, "d"]
    watch.seconds += 1
    assert kept.get(3) is None


GROWING = {"dict", "list", "set", "defaultdict", "OrderedDict", "WeakValueDictionary", "deque"}


def test_no_module_keeps_what_only_grows() -> None:
    modules = sorted(Path(str(files("airtally"))).rglob("*.py"))
    found = {str(path): names for path in modules if (names := list(_growing(ast.parse(path.read_text()))))}
    assert len(modules) > 100
    assert found == {}


def test_what_only_grows_is_found() -> None:
    lines = (
        "a: dict = {}",
        "b = []",
        "c = defaultdict(list)",
        "@cache\ndef d(x): ...",
        "@lru_cache(None)\ndef e(): ...",
    )
    bounded = ("f = {1: 2}", "g = Cache(10)", "@lru_cache(9)\ndef h(x): ...", "@cache\ndef i(): ...", "j = dict(k=1)")
    assert list(_growing(ast.parse("\n".join(lines + bounded)))) == ["a", "b", "c", "d", "e"]


def _growing(module: ast.Module) -> Iterator[str]:
    """Names at the top of a module that begin empty and can only be there to be filled, and unbounded caches."""
    for node in module.body:
        if isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None and _empty(node.value):
            yield ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0])
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and any(_unbounded(each, node) for each in node.decorator_list):
            yield node.name


def _empty(value: ast.expr) -> bool:
    if isinstance(value, ast.Dict):
        return not value.keys
    if isinstance(value, ast.List | ast.Set):
        return not value.elts
    if not isinstance(value, ast.Call) or ast.unparse(value.func).rpartition(".")[2] not in GROWING:
        return False
    return not value.keywords and (not value.args or ast.unparse(value.func).endswith("defaultdict"))


def _unbounded(decorator: ast.expr, function: ast.FunctionDef) -> bool:
    text = ast.unparse(decorator).removeprefix("functools.")
    return text in {"lru_cache(None)", "lru_cache(maxsize=None)"} or (text == "cache" and bool(function.args.args))
