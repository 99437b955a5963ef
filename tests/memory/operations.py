"""One operation in a process of its own, whose memory is watched from inside as well.

    python -m tests.memory.operations NAME DATA OUT [watched]

runs operation NAME under the configured limit and prints JSON: the answer where it is a value,
and, if it is to be watched, how long it took and for each stage by how much the process was seen
to take more than was accounted for while its tasks ran. No test library is imported here: it
would be part of what the process takes.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import penstock.dataframe as dd
from penstock.errors import MemoryLimitError
from penstock.scheduler import allocators, current_pool, events, limits
from tests.memory.operations_groups import GroupOperations
from tests.memory.operations_shape import ShapeOperations
from tests.memory.operations_windows import WindowOperations

WATCH_SECONDS = 0.004


class Watch:
    """Compares what the process really takes with its account, while stages run.

    Memory that the allocator keeps though nobody uses it is not counted: it is given back when
    room is needed. Nor are pages of libraries that were first used during the run.

    Attributes
    ----------
    beyond : dict
        Most bytes taken beyond the account while tasks of a stage, by name, ran.
    reserved : dict
        Most bytes reserved for a hand-over of tasks, by stage.
    """

    def __init__(self) -> None:
        self.beyond: dict[str, int] = {}
        self.reserved: dict[str, int] = {}
        self.spilled = 0
        self.headroom = 0
        self._libraries = 0
        self._names: dict[int, tuple[str, ...]] = {}
        self._running: dict[tuple[int, int], int] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        events.observe_all(self)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopped.set()
        self._thread.join()
        events.stop_observing(self)

    def __call__(self, event: events.Event) -> None:
        with self._lock:
            if isinstance(event, events.RunStarted):
                self._names[event.run] = tuple(name for name, _ in event.stages)
                self.headroom = current_pool().headroom
                self._libraries = file_backed_bytes()
            elif isinstance(event, events.TasksStarted):
                name = self._names[event.run][event.stage]
                self.reserved[name] = max(self.reserved.get(name, 0), event.reserved)
                key = (event.run, event.stage)
                self._running[key] = self._running.get(key, 0) + event.ntasks
            elif isinstance(event, events.TasksFinished):
                self._running[event.run, event.stage] -= event.ntasks
            elif isinstance(event, events.Spilled):
                self.spilled += event.nbytes
            elif isinstance(event, events.RunFinished):
                self._running = {key: n for key, n in self._running.items() if key[0] != event.run}

    def _watch(self) -> None:
        pool = current_pool()
        while not self._stopped.wait(WATCH_SECONDS):
            with self._lock:
                running = {
                    self._names[run][stage] for (run, stage), n in self._running.items() if n
                }
            if not running:
                continue
            accounted = pool.baseline + pool.reserved + pool.held
            in_use = limits.resident_bytes() - (allocators.free_bytes() or 0)
            in_use -= file_backed_bytes() - self._libraries
            # What was accounted for before and after counts: the account and the
            # memory do not change in the same instant.
            accounted = max(accounted, pool.baseline + pool.reserved + pool.held)
            for name in running:
                self.beyond[name] = max(self.beyond.get(name, -accounted), in_use - accounted)


def file_backed_bytes() -> int:
    """Return the resident bytes of this process that are pages of files; 0 where unknown."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[2]) * resource.getpagesize()
    except OSError:
        return 0


class Operations(WindowOperations, GroupOperations, ShapeOperations):
    """The operations by name; each writes to `out` or returns an answer."""

    def filter(self) -> None:
        facts = self._read()
        facts[facts["real"] < 0.25][["id", "real", "text"]].to_parquet(self.out)

    def groupby_low(self) -> None:
        self._read().groupby("group")[["id", "real"]].sum().to_parquet(self.out)

    def groupby_high(self) -> None:
        self._read().groupby("key")[["id", "real"]].sum().to_parquet(self.out)

    def groupby_text(self) -> None:
        self._read().groupby("text")["id"].count().to_frame().to_parquet(self.out)

    def sort_random(self) -> None:
        self._read().sort_values("real").to_parquet(self.out)

    def sort_sorted(self) -> None:
        self._read().sort_values("id").to_parquet(self.out)

    def sort_heavy(self) -> None:
        self._read().sort_values("heavy").to_parquet(self.out)

    def set_index(self) -> None:
        self._read()[["id", "real", "text"]].set_index("real").to_parquet(self.out)

    def merge_broadcast(self) -> None:
        self._read().merge(self._read("groups"), on="group").to_parquet(self.out)

    def merge_grouped(self) -> None:
        joined = self._read().merge(self._read("groups"), on="group")
        joined["shifted"] = joined["real"] + joined["id"]
        most = joined.groupby(["weight", "key"])["shifted"].agg(["sum", "std", "max"])
        most.to_parquet(self.out)

    def merge_exchange(self) -> None:
        facts = self._read()[["id", "real", "text"]]
        facts.merge(self._read("partners"), on="id").to_parquet(self.out)

    def drop_duplicates(self) -> None:
        self._read()[["id", "key", "text"]].drop_duplicates(subset="key").to_parquet(self.out)

    def nunique(self) -> list[int]:
        facts = self._read()
        return [int(facts["key"].nunique().compute()), int(facts["text"].nunique().compute())]

    def median(self) -> float:
        return float(self._read()["real"].median().compute())

    def repartition(self) -> None:
        self._read().repartition(npartitions=37).to_parquet(self.out)

    def cumsum(self) -> None:
        self._read()[["id", "heavy"]].cumsum().to_parquet(self.out)

    def csv(self) -> None:
        dd.read_csv(str(self._data / "facts.csv")).to_parquet(self.out)

    def csv_gz(self) -> None:
        dd.read_csv(str(self._data / "facts.csv.gz")).to_parquet(self.out)

    def huge_row_group(self) -> None:
        huge = self._read("huge")
        huge[huge["key"] % 2 == 0].to_parquet(self.out)

    def repeated_text(self) -> None:
        texts = self._read("repeated")
        texts[texts["id"] % 4 == 0].to_parquet(self.out)

    def single_parquet(self) -> None:
        self._read().to_parquet(self.out + ".parquet")

    def single_csv(self) -> None:
        self._read()[["id", "group", "text"]].to_csv(
            self.out + ".csv", single_file=True, index=False
        )

    def partition_on(self) -> None:
        self._read().to_parquet(self.out, partition_on="group")

    def persist(self) -> list[int]:
        kept = self._read()[["id", "key", "real", "text"]].persist()
        counts = kept.groupby("key")["id"].count()
        return [len(kept), int(kept["id"].sum().compute()), int(counts.max().compute())]

    def iter_blocks(self) -> list[int]:
        count = total = 0
        for block in self._read().iter_blocks():
            assert block["id"].iloc[0] == count
            count += len(block)
            total += int(block["key"].sum())
        return [count, total]

    def too_large(self) -> list[str]:
        return self._refused(self._read().compute)

    def turns_out_too_large(self) -> list[str]:
        """Compute a result of which nobody knows beforehand how large it is."""
        facts = self._read()
        return self._refused(facts[facts["id"] >= 0].compute)

    def group_too_large(self) -> list[str]:
        """Call a function with a group of all rows: it is refused before any group is made."""
        facts = self._read()[["id", "real"]]
        facts["one"] = (facts["id"] > 1000).astype("int64")
        seen: list[int] = []
        counts = facts.groupby("one").apply(lambda group: seen.append(len(group)) or len(group))
        seen.clear()  # what it gives was found on a few rows
        return [*self._refused(counts.compute), str(len(seen))]

    def _refused(self, call: Callable[[], Any]) -> list[str]:
        try:
            call()
        except MemoryLimitError as error:
            return [str(error), str(len(self._read()))]  # and life goes on
        raise AssertionError("it was computed")

    def compute_most(self) -> list[int]:
        """Compute a result that takes half of what there is for blocks."""
        facts = self._read()
        table = facts[facts["group"] < 45][["id", "key"]].compute()
        return [len(table), int(table["id"].sum()), int(table["key"].sum())]

    def compute_text(self) -> list[int]:
        facts = self._read()
        table = facts[facts["group"] < 35][["id", "text"]].compute()
        return [len(table), int(table["id"].sum()), int(table["text"].str.len().sum())]


def main() -> None:
    name, data, out, *watched = sys.argv[1:]
    operations = Operations(Path(data), Path(out))
    if watched != ["watched"]:  # being watched changes what a run does
        json.dump({"answer": getattr(operations, name)()}, sys.stdout)
        return
    started = time.monotonic()
    with Watch() as watch:
        answer = getattr(operations, name)()
    report = {
        "answer": answer,
        "seconds": time.monotonic() - started,
        "spilled": watch.spilled,
        "headroom": watch.headroom,
        "stages": {
            stage: [watch.reserved.get(stage, 0), beyond] for stage, beyond in watch.beyond.items()
        },
    }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
