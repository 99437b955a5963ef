"""Ctrl-C that strikes where Python drops exceptions."""

from __future__ import annotations

import _thread
import gc
import operator
import signal
import threading

import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock.engine import run
from penstock.scheduler.interrupts import Interrupts
from penstock.threaded import get


class StruckWhenFreed:
    """Ctrl-C strikes while this is finalized."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_an_interrupt_in_a_finalizer_ends_the_run(scheduler):
    done = []

    def free(_):
        StruckWhenFreed()

    def after(_):
        done.append(True)

    def waits(_):
        threading.Event().wait(0.1)

    with pytest.raises(KeyboardInterrupt):
        get(
            {"a": 1, "b": (free, "a"), "c": (waits, "b"), "d": (after, "c")},
            "d",
            scheduler=scheduler,
        )
    assert not done


def test_an_interrupt_while_a_plan_is_made_ends_the_call(monkeypatch):
    lower = run.lower

    def struck(*args, **kwargs):
        StruckWhenFreed()
        return lower(*args, **kwargs)

    monkeypatch.setattr(run, "lower", struck)
    frame = dd.from_pandas(pd.DataFrame({"x": [1, 2]}), npartitions=2)
    with pytest.raises(KeyboardInterrupt):
        frame.x.sum().compute()


def test_an_interrupt_during_garbage_collection_is_raised():
    others = [each for each in gc.callbacks if "hypothesis" in (each.__module__ or "")]
    for callback in others:
        gc.callbacks.remove(callback)
    try:
        gc.collect()  # of what has finalizers in Python
        # No instruction of Python is between the two, where the interrupt would be raised.
        with pytest.raises(KeyboardInterrupt):
            list(map(operator.call, (_thread.interrupt_main, gc.collect)))
    finally:
        gc.callbacks.extend(others)


def test_an_interrupt_at_the_very_end_is_raised_on_leaving():
    with pytest.raises(KeyboardInterrupt), Interrupts():
        StruckWhenFreed()


def test_an_interrupt_that_was_seen_is_not_raised_again():
    interrupts = Interrupts()
    with pytest.raises(KeyboardInterrupt), interrupts:
        signal.raise_signal(signal.SIGINT)
    interrupts.check()


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_another_threads_interrupts_are_left_alone():
    before = signal.getsignal(signal.SIGINT)
    found = []

    def look():
        with Interrupts():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [before]
