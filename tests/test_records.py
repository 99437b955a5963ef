"""Records: what they share with dataclasses."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import field

import pytest

from penstock.records import record


@record
class Range:
    start: int
    stop: int = 10
    labels: list[str] = field(default_factory=list, compare=False, repr=False)


@record
class Stepped(Range):
    step: int = 1


@record
class Sorted:
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            object.__setattr__(self, "low", self.high)


@record(frozen=False)
class Counter:
    count: int = 0


@record(eq=False)
class Token:
    text: str


def test_fields_are_given_by_position_or_name():
    assert Range(1, 2) == Range(start=1, stop=2) == Range(1, stop=2)
    assert Range(1).stop == 10
    assert Stepped(1, step=3) == Stepped(1, 10, [], 3)
    assert [f.name for f in dataclasses.fields(Stepped)] == ["start", "stop", "labels", "step"]
    assert dataclasses.replace(Range(1), stop=5) == Range(1, 5)


def test_default_factories_make_a_value_for_each():
    assert Range(1).labels is not Range(1).labels


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, r"Range\(\) misses the arguments 'start'"),
        ((1, 2, [], 4), {}, r"Range\(\) takes 3 arguments, not 4"),
        ((1,), {"start": 1}, r"Range\(\) got two values for 'start'"),
        ((1,), {"end": 1}, r"Range\(\) has no argument 'end'"),
    ],
)
def test_other_arguments_are_refused(args: tuple, kwargs: dict, message: str):
    with pytest.raises(TypeError, match=message):
        Range(*args, **kwargs)


def test_a_frozen_record_cannot_be_changed():
    value = Range(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="start"):
        value.start = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="other"):
        value.other = 2  # type: ignore[attr-defined]
    with pytest.raises(dataclasses.FrozenInstanceError, match="start"):
        del value.start
    counter = Counter()
    counter.count += 1
    assert counter == Counter(1)


def test_equality_and_hash():
    assert Range(1, 2, ["a"]) == Range(1, 2, ["b"])
    assert hash(Range(1, 2, ["a"])) == hash(Range(1, 2))
    assert Range(1) != Stepped(1)
    assert Range(1) != (1, 10)
    assert Token("a") != Token("a")
    assert len({Token("a"), Token("a")}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(Counter())


def test_an_equality_of_the_class_is_kept():
    @record
    class Rounded:  # noqa: PLW1641 - the record adds it
        value: float

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Rounded) and round(self.value) == round(other.value)

    assert Rounded(1.1) == Rounded(0.9)
    assert hash(Rounded(1.0)) == hash(Rounded(1.0))


def test_post_init_runs():
    assert Sorted(3, 2).low == 2


def test_what_it_shows():
    assert repr(Stepped(1)) == "Stepped(start=1, stop=10, step=1)"


def test_it_is_copied_and_pickled():
    value = Stepped(1, 2, ["a"], 3)
    assert copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value


def test_matching():
    match Range(1, 2):
        case Range(1, stop):
            assert stop == 2


def test_fields_that_are_no_positional_arguments_are_refused():
    with pytest.raises(TypeError, match="start must be an argument"):

        @record
        class _Hidden:
            start: int = field(default=0, init=False)
