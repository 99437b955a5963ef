"""The promise, measured: the process stays under its limit, and the kernel agrees."""

from __future__ import annotations

import sys

import pytest

from tests.support.cgroup import cgroups_available, run_in_cgroup, run_measured

pytestmark = pytest.mark.memory

PRELUDE = """
import sys
import numpy as np, pyarrow as pa, pyarrow.compute as pc
from penstock.scheduler import Graph, PartitionStore, Stage, TaskMemory, current_pool, execute

MB, limit, n = 1 << 20, int(sys.argv[1]), 30
graph = Graph()

def source(name, function, count, **options):
    return graph.add(Stage(name, function, count, np.zeros(count + 1, int), np.zeros(0, int),
                           arguments=range(count), **options))

def each(name, function, *stages, **options):
    count = stages[0].ntasks
    columns = [s.base + (np.arange(count) if s.ntasks == count else np.zeros(count, int))
               for s in stages]
    return graph.add(Stage(name, function, count, np.arange(count + 1) * len(stages),
                           np.stack(columns, 1).ravel(), **options))

def total(name, of):
    return graph.add(Stage(name, lambda values: sum(values), 1, np.array([0, of.ntasks]),
                           of.base + np.arange(of.ntasks), gathers=True))
"""

ARRAYS = """
made = source("make", lambda i: np.random.default_rng(i).random(3 * MB), n,
              memory=TaskMemory(output=24 * MB))
roots = each("root", lambda x: np.sqrt(x * 2), made)
whole = total("whole", each("sum", lambda x: float(x.sum()), roots))
shares = each("share", lambda x, s: float((x / s).sum()), roots, whole)
graph.wanted = [total("result", shares).base]
(result,) = execute(graph, memory_limit=limit, num_workers=2)
assert abs(result - 1) < 1e-9, result
"""

TABLES = """
P, rows = 24, 400_000
current_pool()
store = PartitionStore(P, name="sort")

def read(i):
    rng = np.random.default_rng(i)
    return pa.table({"key": rng.integers(0, 1 << 40, rows), "real": rng.random(rows),
                     "text": pa.array(rng.integers(0, 10**6, rows)).cast(pa.string())})

def scatter(i, table):
    partition = (table["key"].to_numpy() % P).astype(np.uint8)
    order = np.argsort(partition, kind="stable")
    offsets = np.searchsorted(partition[order], np.arange(P + 1))
    store.append(i, table.take(pa.array(order)).combine_chunks(), offsets)
    return i

def gather(p, _):
    table = pa.concat_tables(store.read(p)).combine_chunks()
    store.free(p)
    table = table.take(pc.sort_indices(table, sort_keys=[("key", "ascending")]))
    return table.num_rows

blocks = source("read", read, n, memory=TaskMemory(fixed=8 * MB, output=12 * MB))
done = graph.add(Stage("scatter", scatter, n, np.arange(n + 1), blocks.base + np.arange(n),
                       arguments=range(n), memory=TaskMemory(2.0, 0, 12 * MB)))
barrier = total("barrier", done)
part = n * 12 * MB // P
gathered = graph.add(Stage("gather", gather, P, np.arange(P + 1), np.full(P, barrier.base),
                           arguments=range(P), memory=TaskMemory(0.0, 3 * part, 1000)))
graph.wanted = [total("result", gathered).base]
(result,) = execute(graph, memory_limit=limit, num_workers=2)
assert result == n * rows, result
assert store.spilled_bytes > 100 * MB, store.spilled_bytes
"""

UNDERSTATED = """
# Tasks that take three times what they declare.
def work(i):
    a = np.ones(3 * MB)
    b, c = a + i, a * 2
    return a + b + c

made = source("make", work, n, memory=TaskMemory(output=24 * MB))
whole = total("whole", each("sum", lambda x: float(x.sum()), made))
again = each("again", lambda x, s: float(x.sum()) / s, made, whole)
graph.wanted = [total("result", again).base]
(result,) = execute(graph, memory_limit=limit, num_workers=2)
assert abs(result - 1) < 1e-9, result
"""

LIMIT = 400_000_000


@pytest.mark.parametrize("work", [ARRAYS, TABLES], ids=["arrays", "tables"])
def test_the_peak_stays_under_the_limit(work: str):
    argv = [sys.executable, "-c", PRELUDE + work, str(LIMIT)]
    if cgroups_available():  # the kernel is to agree
        measured = run_in_cgroup(argv, LIMIT).check()
        assert not measured.oom_killed
    else:
        measured = run_measured(argv).check()
    assert measured.peak_rss <= LIMIT


def test_tasks_that_take_more_than_they_declare_stay_under_the_limit():
    argv = [sys.executable, "-c", PRELUDE + UNDERSTATED, str(LIMIT)]
    assert run_measured(argv).check().peak_rss <= LIMIT


def test_the_container_gives_the_default_limit():
    if not cgroups_available():
        pytest.skip("no memory cgroup can be made here: that takes Linux and root")
    code = "from penstock.scheduler import current_pool; print(current_pool().limit)"
    measured = run_in_cgroup([sys.executable, "-c", code], 500 << 20).check()
    assert int(measured.stdout) == int((500 << 20) * 0.6)
