"""For the tests and for the examples in docstrings: leak checks, and a directory to write to."""

from __future__ import annotations

import pytest

pytest_plugins = ["tests.support.leaks"]


@pytest.fixture(autouse=True)
def _examples_write_elsewhere(request: pytest.FixtureRequest) -> None:
    if isinstance(request.node, pytest.DoctestItem):
        request.getfixturevalue("monkeypatch").chdir(request.getfixturevalue("tmp_path"))
