"""Delayed values, and the functions of the package that run several collections at once."""

from __future__ import annotations

import operator
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import penstock
import penstock.array as da
import penstock.bag as db
import penstock.dataframe as dd
from penstock import compute, delayed, persist
from penstock.engine.kernels.bags import flatten
from tests.support.frames import assert_eq
from tests.support.limits import limit_leaving

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEDULERS = ("threads", "sync")


@pytest.fixture(autouse=True)
def _verified() -> Iterator[None]:
    with penstock.config.set({"verify-plans": True}):
        yield


@delayed
def add(x: Any, y: Any = 10) -> Any:
    return x + y


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_calls_of_calls(scheduler: str) -> None:
    total = add(add(1, 2), y=add(3))
    assert total.compute(scheduler=scheduler) == 16
    assert "Delayed(add)" in repr(total)
    assert add(delayed([1]), [2]).compute(scheduler=scheduler) == [1, 2]


def test_nothing_runs_before_it_is_asked_for_and_then_once() -> None:
    calls: list[str] = []

    @delayed
    def noted(name: str, *inputs: Any) -> str:
        calls.append(name)
        return name

    first = noted("a")
    left, right = noted("b", first), noted("c", first)
    both = noted("d", left, right)
    assert calls == []
    assert compute(both, right) == ("d", "c")
    assert sorted(calls) == ["a", "b", "c", "d"]
    assert calls[0] == "a"
    assert calls[-1] == "d"


def test_every_call_is_one_of_its_own() -> None:
    numbers = iter(range(10))
    draw = delayed(lambda: next(numbers))
    assert sorted(compute(draw(), draw(), draw())) == [0, 1, 2]


def test_arguments_inside_of_lists_and_dicts() -> None:
    one, two = add(0, 1), add(1, 1)
    nested = delayed(lambda value, **more: (value, more))
    value, more = nested([one, {"k": (two, {one})}, "text"], z={"w": [two]}).compute()
    assert value == [1, {"k": (2, {1})}, "text"]
    assert more == {"z": {"w": [2]}}
    assert delayed([one, two]).compute() == [1, 2]
    assert delayed({"a": one, "b": 3}).compute() == {"a": 1, "b": 3}
    untouched = [1, [2], {"k": 3}]
    assert delayed(lambda x: x)(untouched).compute() is untouched
    assert delayed(5).compute() == 5
    assert delayed(one) is one


def test_a_list_with_lazy_values_is_looked_into_only_when_asked() -> None:
    one = add(0, 1)
    (same,) = delayed([one], traverse=False).compute()
    assert same is one


def test_attributes_items_methods_and_operators() -> None:
    text = delayed("a-b-c")
    assert text.upper().split("-").compute() == ["A", "B", "C"]
    assert text.split("-")[1].compute() == "b"
    assert delayed(3 + 4j).imag.compute() == 4
    five, two = add(2, 3), delayed(2)
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift",
                 "and_", "or_", "xor", "eq", "ne", "lt", "le", "gt", "ge"):  # fmt: skip
        function = getattr(operator, name)
        results = compute(function(five, two), function(five, 2), function(5, two))
        assert results == (function(5, 2),) * 3, name
    assert compute(-five, abs(-five), ~five, +five) == (-5, 5, -6, 5)
    assert (delayed(np.eye(2)) @ np.ones(2)).compute().tolist() == [1, 1]
    with pytest.raises(AttributeError):
        _ = five._private


def test_functions_may_be_lazy_themselves() -> None:
    make = delayed(lambda n: lambda x: x * n)
    assert make(3)(7).compute() == 21


def test_results_that_can_be_unpacked() -> None:
    halves = delayed(divmod, nout=2)
    whole, rest = halves(17, 5)
    assert compute(whole, rest) == (3, 2)
    assert len(halves(1, 2)) == 2
    for wrong in (iter, len, bool):
        with pytest.raises(TypeError):
            wrong(add(1))

    @delayed(nout=1, pure=True)
    def single() -> list[int]:
        return [1]

    (one,) = single()
    assert one.compute() == 1


def test_an_error_names_the_call_and_the_line() -> None:
    broken = delayed(operator.truediv)(1, add(-10))
    with pytest.raises(ZeroDivisionError) as caught:
        add(broken).compute()
    notes = "\n".join(caught.value.__notes__)
    assert "call of truediv" in notes
    assert "test_delayed.py" in notes


def test_calls_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=20)
    wait = delayed(lambda _: meeting.wait() >= 0)
    assert compute(wait(1), wait(2), scheduler="threads", num_workers=2) == (True, True)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_many_calls_are_one_stage(scheduler: str) -> None:
    parts = [add(n, 1) for n in range(3000)]
    total = delayed(sum)(parts)
    assert "calls: 3001 tasks" in total.explain()
    assert total.compute(scheduler=scheduler) == sum(range(1, 3001))
    chain = delayed(0)
    for _ in range(3000):
        chain = add(chain, 1)
    assert chain.compute(scheduler=scheduler) == 3000


def test_persisted_values() -> None:
    calls: list[int] = []
    slow = delayed(lambda: calls.append(1) or [1, 2, 3])
    kept, other = persist(slow(), {"b": db.from_sequence("ab", npartitions=2)})
    assert calls == [1]
    assert add(kept, [4]).compute() == [1, 2, 3, 4]
    assert kept.compute() == [1, 2, 3]
    assert other["b"].compute() == ["a", "b"]
    assert calls == [1]


# -- with other collections -----------------------------------------------------------------------


def test_other_collections_as_arguments() -> None:
    values = np.arange(12.0).reshape(4, 3)
    array = da.from_array(values, chunks=(3, 2))
    bag = db.from_sequence(range(10), npartitions=3)
    data = pd.DataFrame({"a": [3, 1, 2, 2], "b": list("wxyz")})
    frame = dd.from_pandas(data, npartitions=2)
    kinds = delayed(lambda *given: given)(array, bag, frame, frame.a, bag.sum(), frame.a.sum())
    got = kinds.compute()
    assert_eq(got[0], values)
    assert got[1] == list(range(10))
    assert_eq(got[2], data)
    assert_eq(got[3], data.a)
    assert (got[4], got[5]) == (45, 8)
    # values go back into a bag, and calls follow on other work
    scaled = bag.map(lambda x, n: x * n, add(1, 1))
    assert add(scaled.sum(), add(array.sum(), 1)).compute() == 90 + 66 + 1


def test_one_run_for_all_kinds() -> None:
    data = pd.DataFrame({"a": [1, 2, 3]})
    frame = dd.from_pandas(data, npartitions=2)
    total, [array, rest], same, word = compute(
        frame.a.sum(),
        [da.ones(3, chunks=2) + 1, {"bag": db.from_sequence([[1], [2]]).map(flatten_one)}],
        add(1),
        "word",
    )
    assert (total, same, word) == (6, 11, "word")
    assert_eq(array, np.full(3, 2.0))
    assert rest == {"bag": [1, 2]}
    assert compute() == ()


def flatten_one(item: list[int]) -> int:
    return flatten([item])[0]


@pytest.mark.memory
def test_values_of_calls_spill() -> None:
    limit = limit_leaving(40 << 20)
    make = delayed(lambda n: np.full(1 << 20, n, "u8"))  # 8 MB
    parts = [make(n) for n in range(12)]
    first = [part.sum() for part in parts]
    again = [part.max() for part in parts]
    kept = persist(*parts, memory_limit=limit)
    sums = compute(*(part.sum() for part in kept), memory_limit=limit)
    assert sums == tuple(n << 20 for n in range(12))
    assert compute(*first, memory_limit=limit) == sums
    assert compute(*again, memory_limit=limit) == tuple(range(12))


# -- the package ----------------------------------------------------------------------------------


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, penstock, penstock.array, penstock.bag, penstock.dataframe\n"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'fsspec', 'yaml', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from penstock import compute, config, delayed, persist\n"
        "assert 'pandas' not in sys.modules\n"
        "assert set(penstock.__all__) >= {'compute', 'config', 'delayed', 'persist'}\n"
        "for module in (penstock.array, penstock.bag):\n"
        "    assert all(hasattr(module, name) for name in dir(module))\n"
        "    assert not hasattr(module, 'no_such_name')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)
