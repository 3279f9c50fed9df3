"""A key without effect is told, not passed over."""

from __future__ import annotations

from ingestd.config.pending import pending
from ingestd.config.schema import Backend, Config, Metrics, Session
from ingestd.config.web import Address


def test_defaults_ask_for_nothing_that_is_missing() -> None:
    assert pending(Config(backend=Backend(url="https://example.com/"))) == []


def test_keys_that_nothing_heeds_are_named() -> None:
    config = Config(
        backend=Backend(url="https://example.com/"),
        session=Session(room_id="abcd", max_age_s=3600.0),
        metrics=Metrics(listen=Address("127.0.0.1", 9465)),
    )
    assert pending(config) == ["metrics.listen"]
