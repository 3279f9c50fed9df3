"""Figures that are asked for without their library: named by --check, and no word of it where none are asked for."""

from __future__ import annotations

import configparser
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from ingestd.__main__ import EXIT_CONFIG, main
from ingestd.errors import MetricsError
from ingestd.metrics import library

BASE = "backend: {url: 'https://broker.example/s'}\n"


@pytest.mark.parametrize(
    ("text", "missing", "status"),
    [
        ("metrics: {listen: '127.0.0.1:9465'}\n", True, EXIT_CONFIG),
        ("metrics: {listen: '127.0.0.1:9465'}\n", False, 0),
        ("", True, 0),
    ],
)
def test_check_names_what_is_missing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    missing: bool,
    status: int,
) -> None:
    if missing:
        monkeypatch.setitem(sys.modules, "prometheus_client", None)
    config = tmp_path / "ingestd.yaml"
    config.write_text(BASE + text)
    assert main(["--check", "--config", str(config)]) == status
    told = capsys.readouterr().err
    assert ("prometheus_client is missing" in told) == (status == EXIT_CONFIG)


@pytest.mark.parametrize(
    ("prefix", "advised"),
    [
        ("/opt/ingestd", "'/opt/in gestd/bin/python' -m pip install 'prometheus_client >=0.16, <0.27'"),
        ("/usr", "apt-get install python3-prometheus-client"),
    ],
)
def test_the_advice_fits_the_python_that_runs(monkeypatch: pytest.MonkeyPatch, prefix: str, advised: str) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setattr(sys, "prefix", prefix)
    monkeypatch.setattr(sys, "executable", "/opt/in gestd/bin/python")
    with pytest.raises(MetricsError) as told:
        library.check()
    assert str(told.value).endswith(f"install it: {advised}")


def test_the_versions_are_those_that_are_installed() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    extras = setup["options.extras_require"]
    assert extras["metrics"].strip() == f"prometheus_client {library.VERSIONS}"
    assert f"prometheus_client {library.VERSIONS}" in extras["test"].splitlines()


@pytest.mark.parametrize("body", ["", "raise AttributeError('of another version')", "def broken("])
def test_a_library_of_another_kind_is_a_fault_and_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    (tmp_path / "prometheus_client.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    with patch.dict(sys.modules):  # what is loaded here is gone afterwards
        for name in [*sys.modules]:
            if name.startswith(("prometheus_client", "ingestd.metrics.families")):
                del sys.modules[name]
        with pytest.raises(MetricsError, match="prometheus_client can't be used"):
            library.load(dict, lambda: None)
