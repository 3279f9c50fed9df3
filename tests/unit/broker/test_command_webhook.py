"""ingestd-broker webhook register: which addresses the service may be given. What it then does: test_webhooks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingestd.broker.command.main import main
from ingestd.broker.command.webhook import checked_url
from ingestd.broker.errors import BrokerError
from ingestd.broker.events import DOCUMENTED, PATH
from tests.standin.client import StandIn

pytest_plugins = ("tests.standin.fixtures",)


@pytest.mark.parametrize(
    "url",
    [
        f"https://broker.example{PATH}",
        "https://broker.example:8443/here?tenant=7",
        f"http://127.0.0.1:8080{PATH}",
        f"http://localhost{PATH}",
        f"http://[::1]:8080{PATH}",
        f"https://192.0.2.1{PATH}",
    ],
)
def test_an_address_that_webhooks_may_go_to(url: str) -> None:
    assert checked_url(url) == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("broker.example", "no web address"),
        ("ftp://broker.example", "no web address"),
        ("https://", "no web address"),
        ("http://broker.example", "in the clear"),
        ("http://127.0.0.1.example", "in the clear"),
        ("https://me:secret@broker.example", "user or password"),
        ("https://broker.example/#here", "# part"),
        ("https://broker.example:99999", "host or port"),
        ("https://[::1", "host or port"),
        ("https://broker.example/ x", "character"),
        ("https://broker.example/\r\nX: y", "character"),
        ("https://br\u00f6ker.example", "character"),
        ("https://broker.example/" + "x" * 2048, "too long"),
    ],
)
def test_an_address_that_webhooks_must_not_go_to(url: str, why: str) -> None:
    with pytest.raises(BrokerError, match=why) as refused:
        checked_url(url)
    assert "give https://HOST" in str(refused.value)
    assert "secret" not in str(refused.value)


def _config(directory: Path, standin: StandIn) -> str:
    secret = directory / "secret"
    secret.touch(mode=0o600)
    secret.write_text(standin.api_secret)
    videosdk = {"url": standin.base_url, "api_key": standin.api_key, "api_secret_file": str(secret)}
    path = directory / "broker.yaml"
    path.write_text(json.dumps({"videosdk": videosdk}))
    return str(path)


def test_all_documented_events_are_asked_for_unless_some_are_named(
    standin: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, url = _config(tmp_path, standin), f"https://broker.example{PATH}"
    assert main(["--config", config, "webhook", "register", url]) == 0
    assert main(["--config", config, "webhook", "register", url, "--event", "call-new", "--event", "call-new"]) == 0
    assert standin.registered_webhooks() == [
        {"url": url, "events": sorted(DOCUMENTED)},
        {"url": url, "events": ["call-new"]},
    ]
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        f"registered {url} for {', '.join(DOCUMENTED)}",
        f"registered {url} for call-new",
    ]
    assert told.err == ""


def test_an_address_that_a_proxy_must_lead_elsewhere_is_pointed_out(
    standin: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", _config(tmp_path, standin), "webhook", "register", "https://broker.example/hook"]) == 0
    assert PATH in capsys.readouterr().err


def test_nothing_is_asked_of_the_service_with_a_wrong_address_or_event(
    standin: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = _config(tmp_path, standin)
    assert main(["--config", config, "webhook", "register", "http://broker.example"]) == 1
    assert main(["--config", config, "webhook", "register", "https://broker.example", "--event", "Call\nX"]) == 1
    told = capsys.readouterr().err
    assert told.count("ingestd-broker: ") == 2
    assert "'Call\\nX'" in told
    assert standin.registered_webhooks() == []


def test_the_path_in_the_help_is_the_one_that_is_served(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["webhook", "register", "--help"])
    told = capsys.readouterr().out
    assert f"https://HOST{PATH}" in told
    assert "Has the service post" in told, "what it does"
