"""Which device a request comes from."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from ingestd.broker.devices import NewDevice, Registry
from ingestd.broker.errors import Refused
from ingestd.broker.migrating import migrate
from ingestd.broker.settings import Proxy
from ingestd.broker.storage import Storage
from ingestd.broker.web.callers import Callers

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/16"))
NAME = "pump-7.field.example"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    storage = Storage(f"sqlite:///{tmp_path}/broker.db")
    migrate(storage)
    yield Registry(storage, lambda: 0.0)
    storage.engine.dispose()


@pytest.fixture
def key(registry: Registry) -> str:
    return registry.add(NewDevice("pump-7", certificate_name=NAME))


@pytest.fixture
def callers(registry: Registry, key: str) -> Callers:
    return Callers(registry, Proxy(trusted=TRUSTED, certificate_header="X-Client-Name"))


def environ(peer: str = "192.0.2.1", authorization: str | None = None, name: str | None = None) -> dict[str, Any]:
    given = {"REMOTE_ADDR": peer, "HTTP_AUTHORIZATION": authorization, "HTTP_X_CLIENT_NAME": name}
    return {field: value for field, value in given.items() if value is not None}


def refused(callers: Callers, request: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        callers.device(request)
    assert vars(caught.value) == {
        "status": 401,
        "message": "The key or certificate is not that of a device that may have sessions",
        "code": "unknown-device",
        "retry_after_s": None,
    }


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER   {}", "{}", "  {} "])
def test_a_key_comes_with_or_without_the_word(callers: Callers, key: str, form: str) -> None:
    assert callers.device(environ(authorization=form.format(key))).name == "pump-7"


@pytest.mark.parametrize(
    "form", ["Basic {}", "Bearer", "Bearer {0},Bearer {0}", "Bearer {0} {0}", "Bearer{0}", "", "{0}x"]
)
def test_a_key_in_another_form_is_refused(callers: Callers, key: str, form: str) -> None:
    refused(callers, environ(authorization=form.format(key)))


def test_no_key_at_all_is_refused_alike(callers: Callers) -> None:
    refused(callers, environ())
    refused(callers, {})


@pytest.mark.parametrize("peer", ["10.1.2.3", "fd00::1", "::ffff:10.1.2.3"])
def test_a_trusted_proxys_word_on_a_certificate_counts(callers: Callers, peer: str) -> None:
    assert callers.device(environ(peer, name=NAME)).name == "pump-7"
    assert callers.device(environ(peer, name=f" {NAME} ")).name == "pump-7"


@pytest.mark.parametrize(
    "peer", ["192.0.2.1", "11.0.0.1", "::1", "127.0.0.1", "::ffff:192.0.2.1", "", "unix:", "10.0.0.1:80"]
)
def test_nobody_elses_does(callers: Callers, peer: str, caplog: pytest.LogCaptureFixture) -> None:
    refused(callers, environ(peer, name=NAME))
    assert caplog.messages[0].startswith(f"ignored a certificate's name from {peer or 'a local socket'}: the header is")
    assert NAME not in caplog.text


@pytest.mark.parametrize("name", [f"{NAME},{NAME}", f"{NAME},", f",{NAME}", f"other, {NAME}"])
def test_a_name_that_came_doubled_is_not_believed(
    callers: Callers, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    refused(callers, environ("10.1.2.3", name=name))
    assert "the header came doubled" in caplog.messages[0]


def test_a_certificates_name_may_have_any_letters(callers: Callers, registry: Registry) -> None:
    registry.change("pump-7", certificate_name="Pümpe №7")
    assert callers.device(environ("10.1.2.3", name="Pümpe №7".encode().decode("latin-1"))).name == "pump-7"


@pytest.mark.parametrize("name", ["", " ", "other", "\0", "a\x85b", "\ud800", NAME.upper(), "\xff", "' OR '1'='1"])
def test_a_name_that_is_nobodys_is_refused(callers: Callers, name: str) -> None:
    refused(callers, environ("10.1.2.3", name=name))


def test_the_name_of_a_disabled_device_is_refused(callers: Callers, registry: Registry) -> None:
    registry.disable("pump-7")
    refused(callers, environ("10.1.2.3", name=NAME))


def test_a_key_counts_before_a_certificate(callers: Callers, registry: Registry) -> None:
    other = registry.add(NewDevice("pump-8"))
    assert callers.device(environ("10.1.2.3", other, NAME)).name == "pump-8"
    refused(callers, environ("10.1.2.3", "Bearer wrong", NAME))


def test_a_stranger_with_a_header_and_a_good_key_is_let_in_by_the_key(callers: Callers, key: str) -> None:
    assert callers.device(environ("192.0.2.1", key, "other")).name == "pump-7"


def test_without_a_header_configured_no_certificate_counts(registry: Registry, key: str) -> None:
    callers = Callers(registry, Proxy(trusted=TRUSTED))
    refused(callers, environ("10.1.2.3", name=NAME))


def test_without_anybody_trusted_no_certificate_counts(registry: Registry, key: str) -> None:
    callers = Callers(registry, Proxy(certificate_header="X-Client-Name"))
    refused(callers, environ("10.1.2.3", name=NAME))


def test_what_is_refused_leaves_a_trace_without_its_secret(
    callers: Callers, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = key[:-4] + ("0000" if key[-4:] != "0000" else "1111")
    refused(callers, environ(authorization=wrong))
    refused(callers, environ(authorization="hunter2"))
    assert [(one.levelno, one.getMessage()) for one in caplog.records] == [
        (
            logging.WARNING,
            f"refused a request for a session from 192.0.2.1: key {key[:20]}_… is unknown or wrong, or its device is "
            "disabled",
        ),
        (
            logging.WARNING,
            "refused a request for a session from 192.0.2.1: what it presents is unknown or wrong, or its device is "
            "disabled",
        ),
    ]
    assert wrong.rsplit("_", 1)[1] not in caplog.text


def test_a_flood_of_strangers_does_not_fill_the_log(callers: Callers, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(500):
        refused(callers, environ(authorization="x", peer="192.0.2.1"))
        refused(callers, environ(name=NAME))
    assert len(caplog.records) < 40
