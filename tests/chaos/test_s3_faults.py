"""S3 that answers 503, resets, cuts and stalls: the same rows; a replaced object is refused."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import penstock.dataframe as dd
from penstock.errors import SourceError
from penstock.io import s3
from tests.support.frames import assert_eq
from tests.support.proxy import FaultPlan, FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.s3 import S3Endpoint

pytestmark = [pytest.mark.chaos, pytest.mark.s3]

ROWS = 20_000
READS = {
    "csv": lambda path, **options: dd.read_csv(path, blocksize="50kB", **options),
    "parquet": lambda path, **options: dd.read_parquet(path, blocksize="50kB", **options),
}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Give rows whose CSV takes about 0.5 MB."""
    number = pd.RangeIndex(ROWS).to_series()
    return pd.DataFrame(
        {"id": number, "half": number / 2, "text": "row " + (number * 7919 % ROWS).astype(str)}
    )


@pytest.fixture(scope="module")
def bucket(moto_s3: S3Endpoint, frame: pd.DataFrame, tmp_path_factory: Any) -> str:
    """Give a bucket that holds the rows as ``x.csv`` and as Parquet files in ``x.parquet``."""
    folder: Path = tmp_path_factory.mktemp("rows")
    bucket, filesystem = moto_s3.new_bucket(), moto_s3.filesystem()
    frame.to_csv(folder / "x.csv", index=False)
    filesystem.pipe(f"{bucket}/x.csv", (folder / "x.csv").read_bytes())
    for number in range(12):
        part = frame.iloc[number * ROWS // 12 : (number + 1) * ROWS // 12]
        part.to_parquet(folder / "part.parquet", index=False)
        name = f"{bucket}/x.parquet/{number}.parquet"
        filesystem.pipe(name, (folder / "part.parquet").read_bytes())
    return bucket


@pytest.fixture
def proxy(moto_s3: S3Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """Give a proxy in front of the server, and clients that try again soon."""
    monkeypatch.setattr(s3, "_FIRST_WAIT", 0.01)
    with FaultProxy(moto_s3.endpoint_url) as proxy:
        yield proxy


FAULTS = {
    "unavailable": FaultPlan(unavailable=0.1, seed=3),
    "reset": FaultPlan(reset=0.1, seed=3),
    "cut": FaultPlan(cut=0.1, seed=3),
    "truncate": FaultPlan(truncate=0.1, seed=3),
    "stall": FaultPlan(stall=0.1, stall_seconds=0.2, seed=3),
    "all": FaultPlan(
        unavailable=0.1, reset=0.1, cut=0.1, truncate=0.1, stall=0.1, stall_seconds=0.2
    ),
}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_do_not_change_what_is_read(moto_s3, proxy, bucket, frame, kind, fault):
    options = proxy.storage_options(moto_s3.storage_options)
    proxy.plan = FAULTS[fault]
    found = READS[kind](f"s3://{bucket}/x.{kind}", storage_options=options)
    assert_eq(found, frame)
    if fault == "all":
        assert sum(proxy.totals().faults.values()) > 1


@pytest.mark.parametrize("methods", [("GET",), ("PUT",), ("POST",), ("GET", "PUT", "POST", "HEAD")])
def test_faults_do_not_change_what_is_written(moto_s3, proxy, bucket, frame, methods):
    target = f"s3://{bucket}/written-{'-'.join(methods)}"
    options = proxy.storage_options(moto_s3.storage_options)
    source = dd.from_pandas(frame, npartitions=8)
    # every request fails once, however few of them there are
    proxy.plan = FaultPlan(unavailable=0.5, reset=0.5, at_most=1, methods=methods, seed=5)
    source.to_parquet(target, storage_options=options)
    assert proxy.totals().faults.total() > 0
    names = moto_s3.filesystem().find(target)
    assert len(names) == 8
    assert_eq(dd.read_parquet(target, storage_options=moto_s3.storage_options), frame)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_object_replaced_under_way_is_refused(moto_s3, bucket, kind):
    filesystem, folder = moto_s3.filesystem(), f"{moto_s3.new_bucket()}/x.{kind}"
    filesystem.copy(f"{bucket}/x.{kind}", folder, recursive=True)
    (last, *_) = sorted(filesystem.find(folder), reverse=True)
    frame = READS[kind](f"s3://{folder}", storage_options=moto_s3.storage_options)
    blocks = frame.iter_blocks(num_workers=1)
    assert len(next(blocks)) > 0
    filesystem.pipe(last, filesystem.cat(last)[::-1])
    with pytest.raises(SourceError, match="changed") as caught:
        collections.deque(blocks, maxlen=0)
    assert last in str(caught.value)
