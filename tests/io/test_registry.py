from __future__ import annotations

import subprocess
import sys

import pytest

from penstock.errors import FormatError, MissingDependencyError, UnsupportedError
from penstock.io import registry


@pytest.fixture
def third_party(tmp_path, monkeypatch):
    """Install a package that adds a format, as pip would."""
    (tmp_path / "fakeformat.py").write_text(
        "from penstock.io.registry import Format\n"
        "FORMAT = Format('fake', ('.fake',), 'fakeformat:open_source', magic=(b'FAKE',))\n"
        "NEEDY = Format('needy', ('.needy',), 'fakeformat:open_source', requires='no_such_lib',"
        " extra='needy')\n"
        "WRONG = 3\n"
        "def open_source(path): return 'a source of ' + path\n"
    )
    info = tmp_path / "fakeformat-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fakeformat\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[penstock.formats]\nfake = fakeformat:FORMAT\nneedy = fakeformat:NEEDY\n"
        "csv = fakeformat:WRONG\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    registry.formats.cache_clear()
    registry._third_party.cache_clear()
    yield
    registry.formats.cache_clear()
    registry._third_party.cache_clear()
    sys.modules.pop("fakeformat", None)


def test_sources_and_sinks_are_found_by_name():
    assert registry.source_for("parquet").__name__ == "parquet_source"
    assert registry.sink_for("parquet").__name__ == "parquet_sink"
    with pytest.raises(UnsupportedError, match=r"unknown format 'exel'; known are csv, .*parquet"):
        registry.source_for("exel")


def test_third_parties_add_formats(third_party):
    assert registry.source_for("fake")("x") == "a source of x"
    assert registry.detect("data.fake") == "fake"
    with pytest.raises(UnsupportedError, match="can be read, not written"):
        registry.sink_for("fake")
    assert registry.formats()["csv"].source.startswith("penstock.")  # ours win


def test_a_missing_library_comes_with_its_install_hint(third_party):
    with pytest.raises(MissingDependencyError, match=r"no_such_lib.*penstock\[needy\]"):
        registry.source_for("needy")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.csv", "csv"),
        ("A.TSV.GZ", "csv"),
        ("s3://bucket/x/*.parquet", "parquet"),
        ("out.parquet/", "parquet"),
        ("log.txt.zst", "text"),
    ],
)
def test_names_tell_the_format(path, name):
    assert registry.detect(path) == registry.detect_target(path) == name


def test_contents_tell_the_format_where_names_do_not(tmp_path, third_party):
    (tmp_path / "data").write_bytes(b"PAR1....PAR1")
    assert registry.detect(tmp_path / "data") == "parquet"
    (tmp_path / "data").write_bytes(b"FAKE")
    assert registry.detect(tmp_path / "data") == "fake"
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"")
    assert registry.detect(folder) == "csv"
    (tmp_path / "data").write_bytes(b"<html>")
    with pytest.raises(FormatError, match="an HTML page"):
        registry.detect(tmp_path / "data")
    with pytest.raises(FormatError, match="does not tell the format"):
        registry.detect_target("out")


def test_looking_up_names_imports_no_format():
    script = (
        "import sys; from penstock.io import registry; registry.detect('a.csv'); "
        "print([name for name in ('pandas', 'pyarrow', 's3fs', 'botocore') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
