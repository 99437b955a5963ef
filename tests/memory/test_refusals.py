"""Plans that cannot fit are refused: before anything runs where that is known, and told how."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import penstock.array as da
import penstock.dataframe as dd
from penstock import config
from penstock.engine import run as engine_run
from penstock.engine.fits import refuse_needs
from penstock.engine.lower import lower
from penstock.errors import MemoryLimitError
from penstock.scheduler import current_pool, execute
from tests.support.limits import limit_leaving

pytestmark = pytest.mark.memory

ROWS = 60_000
ROOM = 24_000_000


@pytest.fixture
def limit():
    """Give a limit that leaves `ROOM` bytes or a little more for work."""
    current_pool().rebase()
    return limit_leaving(ROOM)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Give the folder of a frame that takes more than twice the room: columns of numbers."""
    folder = tmp_path_factory.mktemp("refusals") / "wide"
    columns = {f"c{number}": np.arange(ROWS) * number for number in range(120)}
    frame = pd.DataFrame({"key": np.arange(ROWS) % 7, **columns})
    dd.from_pandas(frame, npartitions=4).to_parquet(folder)
    return folder


@pytest.fixture
def nothing_runs(files, monkeypatch):
    """Make it an error to start a run."""

    def started(*arguments, **options):
        raise AssertionError("a run was started")

    for name in ("execute", "stream", "persist"):
        monkeypatch.setattr(engine_run, name, started)


def refused(call, *told):
    with pytest.raises(MemoryLimitError) as caught:
        call()
    message = str(caught.value)
    for text in ("memory_limit", *told):
        assert text in message
    return caught.value


# -- a result that is too large ------------------------------------------------------------


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize(
    "made",
    [
        lambda frame: frame,
        lambda frame: frame * 2,
        lambda frame: frame.sort_values("c3"),
        lambda frame: frame.repartition(npartitions=3),
        lambda frame: dd.concat([frame, frame]),
        lambda frame: frame.merge(frame[["c1"]], on="c1", how="left"),
        lambda frame: frame.merge(frame[["c1"]], on="c1", how="outer"),
    ],
    ids=["read", "mapped", "sorted", "repartitioned", "concatenated", "left", "outer"],
)
def test_a_result_known_to_be_too_large_is_refused_before_anything_runs(files, limit, made):
    lazy = made(dd.read_parquet(files))
    refused(lambda: lazy.compute(memory_limit=limit), "60,000 rows" if lazy.plan.name != "concat"
            else "120,000 rows", "to_parquet", "iterate over its blocks", "persist")  # fmt: skip


@pytest.mark.usefixtures("nothing_runs")
def test_results_are_refused_together(files, limit):
    frame = dd.read_parquet(files)
    many = [frame[["c1", f"c{number}"]] for number in range(2, 30)]
    assert all(one.plan.least_bytes < ROOM // 10 for one in many)
    refused(lambda: dd.compute(*many, memory_limit=limit), "the result takes")


def test_known_sizes_are_never_more_than_the_real_ones():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "int": np.arange(500, dtype="int16"),
            "flag": rng.random(500) < 0.5,
            "text": ["x" * (number % 5) for number in range(500)],
            "kind": pd.Categorical(["a", "b"] * 250),
            "none": [None] * 500,
            "when": pd.date_range("2026-01-01", periods=500, tz="UTC"),
        }
    )
    lazy = dd.from_pandas(frame, npartitions=3)
    for made, rows in (
        (lazy, 500),
        (lazy.sort_values("int"), 500),
        (lazy.merge(lazy[["int"]].head(3), how="cross"), None),
        (lazy[["int"]].merge(lazy[["int"]], how="cross"), 250_000),
        (lazy.merge(lazy, on="int", how="right"), 500),
        (lazy[lazy["flag"]], 0),
    ):
        if rows is not None:
            assert made.plan.least_rows == rows
        (blocks,) = engine_run.run([made.plan])
        assert made.plan.least_bytes <= sum(block.get_total_buffer_size() for block in blocks)


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("chunks", [-1, 500])
def test_an_array_too_large_is_refused_however_it_is_cut(limit, chunks):
    ones = da.ones((2000, 4000), chunks=chunks)
    refused(lambda: ones.compute(memory_limit=limit), "iter", "persist")


# -- joins --------------------------------------------------------------------------------


@pytest.mark.usefixtures("nothing_runs")
def test_a_side_given_to_every_block_must_fit(files, limit, tmp_path):
    frame = dd.read_parquet(files)
    joined = frame.merge(frame, on="c1", broadcast=True)
    error = refused(lambda: joined.to_parquet(tmp_path / "o", compute_kwargs={
        "memory_limit": limit}), "join (inner on c1", "leave broadcast out")  # fmt: skip
    assert any("asked for at" in note and __file__ in note for note in error.__notes__)
    assert not (tmp_path / "o").exists()


def test_a_side_that_goes_through_the_exchange_anyway_may_be_of_any_size(files, limit):
    frame = dd.read_parquet(files)
    outer = frame.merge(frame, on="c1", how="outer", broadcast=True)
    with config.set({"memory-limit": limit}):
        refuse_needs([outer.plan, frame.merge(frame, on="c1").plan])
        with pytest.raises(MemoryLimitError):
            refuse_needs([frame.merge(frame, on="c1", how="right", broadcast=True).plan])
    current_pool()


@pytest.mark.usefixtures("nothing_runs")
def test_a_cross_join_that_cannot_fit_is_refused(files, limit, tmp_path):
    frame = dd.read_parquet(files)
    crossed = frame.merge(frame, how="cross")
    refused(lambda: crossed.to_parquet(tmp_path / "o", compute_kwargs={"memory_limit": limit}),
            "join (cross)", "join on keys")  # fmt: skip
    small = frame[["c1"]].merge(frame[["c2"]], how="cross")
    refused(lambda: small.compute(memory_limit=limit), "3,600,000,000 rows")


def test_a_cross_join_is_made_in_blocks_that_fit():
    left = dd.from_pandas(pd.DataFrame({"a": np.arange(3000)}), npartitions=2)
    right = dd.from_pandas(pd.DataFrame({"b": np.arange(1000)}), npartitions=3)
    crossed = left.merge(right, how="cross")  # 48 MB
    ready = lower([crossed.plan], budget=ROOM)
    try:
        blocks = execute(ready.lowering.graph)
    finally:
        ready.lowering.close()
    assert max(block.nbytes for block in blocks) < 2 * ready.lowering.block_bytes
    a, b = (np.concatenate([block[name].to_numpy() for block in blocks]) for name in "ab")
    assert (a == np.repeat(np.arange(3000), 1000)).all()
    assert (b == np.tile(np.arange(1000), 3000)).all()


# -- tasks -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("nothing_runs")
def test_a_limit_below_what_one_task_takes_is_refused_before_the_first(files, tmp_path):
    frame = dd.read_parquet(files)
    target = tmp_path / "o"
    error = refused(lambda: frame.to_parquet(target, compute_kwargs={"memory_limit": "3MB"}),
                    "read-parquet", "the process itself takes")  # fmt: skip
    assert any("asked for at" in note and __file__ in note for note in error.__notes__)
    assert not target.exists()
    with pytest.raises(MemoryLimitError):
        next(iter(frame.iter_blocks(memory_limit="3MB")))
    with pytest.raises(MemoryLimitError):
        frame.persist(memory_limit="3MB")


def test_life_goes_on_after_a_refusal(files, limit):
    frame = dd.read_parquet(files)
    for _ in range(3):
        refused(lambda: frame.compute(memory_limit=limit))
    assert current_pool().reserved == 0
    assert len(frame) == ROWS
    assert frame["c1"].max().compute() == ROWS - 1


def test_explain_shows_what_each_stage_takes_and_what_is_too_much(files, limit):
    frame = dd.read_parquet(files)
    with config.set({"memory-limit": limit}):
        current_pool().rebase()
        text = frame.sort_values("c1").explain()
        assert "MORE THAN THERE IS" not in text
    with config.set({"memory-limit": "3MB"}):
        text = frame.sort_values("c1").explain()
        assert "read-parquet" in text
        assert "MORE THAN THERE IS" in text
    current_pool()
