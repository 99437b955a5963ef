"""Settings and sizes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from penstock import config
from penstock.config import format_bytes, parse_bytes


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        ("480MB", 480_000_000),
        ("480 mb", 480_000_000),
        ("64KiB", 65_536),
        ("1.5GiB", 1_610_612_736),
        ("2TB", 2 * 10**12),
        ("1e3kB", 10**6),
        ("100", 100),
        ("5M", 5_000_000),
        (".5kB", 500),
        (1024, 1024),
        (0.5, 0),
    ],
)
def test_sizes(text: str | float, nbytes: int):
    assert parse_bytes(text) == nbytes


@pytest.mark.parametrize(
    "text", ["", "MB", "-1MB", "1 XB", "1.2.3MB", -5, None, True, float("nan")]
)
def test_what_is_no_size_is_refused(text: object):
    with pytest.raises(ValueError, match=r"is not a size|cannot be"):
        parse_bytes(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (123_456, "123 kB"),
        (4_190_000, "4.19 MB"),
        (999_999, "1 MB"),
        (10**15, "1000 TB"),
    ],
)
def test_sizes_for_people(nbytes: int, text: str):
    assert format_bytes(nbytes) == text


def test_set_is_undone_at_the_end_of_its_block():
    before = config.get("scheduler")
    with config.set(scheduler="sync"):
        assert config.get("scheduler") == "sync"
        with config.set({"memory-limit": "1GB"}):
            assert config.get("memory_limit") == config.get("memory-limit") == "1GB"
    assert config.get("scheduler") == before


def test_defaults_stand_in_for_null():
    assert config.get("spill-limit", "all") == "all"
    assert config.get("nothing of the kind", 5) == 5
    assert config.get("block-size", override_with=7) == 7
    assert config.get("block-size") == "64MiB"


def test_the_environment_is_read():
    code = "from penstock import config; print(config.get('memory-limit'), config.get('progress'))"
    env = {**os.environ, "PENSTOCK_MEMORY_LIMIT": "1GB", "PENSTOCK_PROGRESS": "false"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1GB false\n"


def test_files_are_read(tmp_path: Path):
    (tmp_path / "penstock.yaml").write_text("memory-limit: 2GB\nprogress: false\n")
    code = (
        "from penstock import config; print(config.get('memory-limit'), config.get('progress'));"
        "import yaml; print(yaml.safe_load('a: 1'), yaml.__file__ is not None)"
    )
    env = {**os.environ, "PENSTOCK_CONFIG": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == "2GB False\n{'a': 1} True\n"


def test_a_setting_without_files_needs_no_yaml(tmp_path: Path):
    code = (
        "import sys; from penstock import config; print(config.get('block-size'));"
        "print('yaml' in sys.modules); import yaml; print(yaml.safe_load('a: 1'))"
    )
    env = {**os.environ, "PENSTOCK_CONFIG": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == "64MiB\nFalse\n{'a': 1}\n"


def test_importing_the_scheduler_imports_nothing_heavy():
    code = (
        "import sys, penstock.scheduler, penstock.config, penstock.threaded;"
        "print({'numpy', 'pandas', 'pyarrow', 'yaml', 'donfig', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
