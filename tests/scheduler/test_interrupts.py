"""Ctrl-C that strikes where Python drops exceptions."""

from __future__ import annotations

import signal
import threading

import pytest

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
