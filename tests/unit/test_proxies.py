"""Which proxy leads where."""

from __future__ import annotations

import pytest

from ingestd.errors import ProxyRefused
from ingestd.net.proxies import Proxy, proxy_for

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def way(host: str = "api.example", port: int = 443, configured: str | None = None) -> tuple[str, int] | None:
    proxy = proxy_for(host, port, configured)
    return None if proxy is None else (proxy.host, proxy.port)


def test_without_any_the_way_is_direct() -> None:
    assert way() is None


def test_the_configured_one_goes_before_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://environment:1")
    monkeypatch.setenv("no_proxy", "*")
    assert way(configured="http://configured:3128") == ("configured", 3128)
    assert way("127.0.0.1", configured="http://configured:3128") == ("configured", 3128)


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("url", ["http://proxy:3128", "http://proxy:3128/", "proxy:3128"])
def test_the_environments_is_taken(name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, url)
    assert way() == ("proxy", 3128)


def test_that_for_https_goes_before_that_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "http://all:1")
    monkeypatch.setenv("http_proxy", "http://plain:2")
    assert way() == ("all", 1)
    monkeypatch.setenv("https_proxy", "http://secure:3")
    assert way() == ("secure", 3)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_the_environments_never_leads_to_this_machine_itself(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    assert way(host) is None


@pytest.mark.parametrize(
    ("none", "host", "direct"),
    [
        ("*", "api.example", True),
        ("api.example", "api.example", True),
        ("api.example", "API.example", True),
        ("example", "api.example", True),
        (".example", "api.example", True),
        ("other, api.example:443", "api.example", True),
        ("api.example:444", "api.example", False),
        ("pi.example", "api.example", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("", "api.example", False),
    ],
)
def test_no_proxy_is_heeded(none: str, host: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", none)
    assert way(host) == (None if direct else ("proxy", 3128))


def test_the_login_is_decoded_and_never_shown() -> None:
    proxy = proxy_for("api.example", 443, "http://us%40er:p%3Aw@proxy")
    assert proxy is not None
    assert (proxy.login, proxy.port) == ("us@er:p:w", 8080)
    assert "p:w" not in repr(proxy)
    assert proxy.named == "backend.proxy"
    assert Proxy("h", 1, None, "x") != proxy


@pytest.mark.parametrize(
    "url", ["socks5://u:hunter2@proxy:1080", "https://u:hunter2@proxy", "http://u:hunter2@proxy:no"]
)
def test_one_that_cannot_be_used_is_a_persons_job(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", url)
    with pytest.raises(ProxyRefused, match="all_proxy of the environment is no http:// URL") as raised:
        way()
    assert "hunter2" not in repr(raised.value)
