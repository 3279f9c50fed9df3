"""What a company's HTTP proxy can do to a device; its password is never told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.matrix.device import Since, WatchedDevice
from tests.integration.matrix.http_proxy import LOGIN, HttpProxy
from tests.integration.matrix.judging import fault_in, no_secret_told, told_once, wait_streaming
from tests.integration.matrix.life import END_S
from tests.integration.matrix.site import QUICK, Site
from tests.standin.client import SocketFault

pytestmark = pytest.mark.usefixtures("own_network")

PERSON = (403, 407)
PASSES = (502, 503, None)
WHERE = ("creating", "connecting")
SAYS = r"proxy"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("matrix")) as site:
        yield site


@pytest.fixture(scope="module")
def proxy() -> Iterator[HttpProxy]:
    proxy = HttpProxy()
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def device(site: Site, proxy: HttpProxy) -> Iterator[WatchedDevice]:
    site.config["backend"]["proxy"] = proxy.url
    device = site.device(QUICK)
    wait_streaming(device, site, 0)
    yield device
    since = Since(device)
    status, _took_s = device.terminate(END_S)
    assert status == 0, since.log


@pytest.fixture(autouse=True)
def judged(site: Site, proxy: HttpProxy, device: WatchedDevice) -> Iterator[Since]:
    since = Since(device)
    yield since
    proxy.answer = 200
    wait_streaming(device, site, 0)
    no_secret_told(since, device, site, LOGIN[1], LOGIN[1][3:])
    told_once(since)


def _strike(site: Site, proxy: HttpProxy, where: str, answer: int | None) -> None:
    site.turn()
    proxy.only_to = site.api.port if where == "creating" else site.next_door.port
    proxy.answer = answer
    site.room.inject(SocketFault("close", code=3000), call=site.current_call)


def present_fault(device: WatchedDevice) -> dict[str, Any] | None:
    """What is wrong with the proxy now."""
    fault = fault_in(device.status(), SAYS)
    return fault if fault is not None and not fault["over"] else None


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("answer", PASSES)
def test_a_proxy_that_fails_for_a_while(
    site: Site, proxy: HttpProxy, device: WatchedDevice, judged: Since, where: str, answer: int | None
) -> None:
    epoch = device.status()["session"]["epoch"]
    _strike(site, proxy, where, answer)
    device.wait(lambda: present_fault(device), "the fault in the status")
    device.wait(lambda: any(news.state == "waiting" and SAYS in news.reason for news in judged.news), "waiting")
    proxy.answer = 200
    wait_streaming(device, site, epoch)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("answer", PERSON)
def test_a_proxy_that_will_not_let_it_through(
    site: Site, proxy: HttpProxy, device: WatchedDevice, judged: Since, where: str, answer: int
) -> None:
    epoch = device.status()["session"]["epoch"]
    _strike(site, proxy, where, answer)
    device.wait(lambda: any(news.state == "waiting" and SAYS in news.reason for news in judged.news), "waiting")
    assert device.status()["next_attempt_in_s"] > 30
    # The news come a moment before the fault, and those of the cases before are over.
    fault = device.wait(lambda: present_fault(device), "the fault in the status")
    assert "backend.proxy" in str(fault)
    proxy.answer = 200
    device.call("reconnect")
    wait_streaming(device, site, epoch)
