"""Fixtures that tests share; the helpers behind them are in `tests.support`."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

pytest.register_assert_rewrite("tests.support.frames")

from tests.support.frames import PARTITIONS  # noqa: E402
from tests.support.s3 import moto_endpoint, seaweed_endpoint  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.s3 import S3Endpoint

# Plans are checked after every rule.
os.environ.setdefault("PENSTOCK_VERIFY_PLANS", "true")

# What a shell runs in its background, and all that this starts, would not hear of Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline: two busy cores make any single example slow now and then.
hypothesis.settings.register_profile("default", deadline=None, max_examples=20, print_blob=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session", autouse=True)
def _no_cloud_account() -> Iterator[None]:
    """Keep the tests away from the credentials and endpoints of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        yield


@pytest.fixture(scope="session")
def moto_s3() -> Iterator[S3Endpoint]:
    """Give an S3 endpoint served by moto: quick to start, lenient, everything in memory."""
    with moto_endpoint() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def seaweed_s3() -> Iterator[S3Endpoint]:
    """Give an S3 endpoint served by SeaweedFS; skip where it cannot start."""
    with seaweed_endpoint() as endpoint:
        yield endpoint


@pytest.fixture(params=PARTITIONS, ids=lambda count: f"npartitions={count}")
def npartitions(request: pytest.FixtureRequest) -> int:
    """Give each of the numbers of partitions that a result must not depend on."""
    return request.param


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of recorded real data beside the repository; skip where there is none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the recorded data are not beside the repository (../shared/data)")
    return folder
