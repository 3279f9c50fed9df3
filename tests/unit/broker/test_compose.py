"""How many threads sessions may take is settled where the parts meet."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestd.broker import compose
from ingestd.broker.settings import read_settings


@pytest.mark.parametrize(
    ("threads", "asked", "given"), [(32, None, 20), (32, 24, 21), (8, 24, 5), (4, 1, 1), (96, 64, 64)]
)
def test_sessions_leave_threads_to_webhooks_and_health(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int, asked: int | None, given: int
) -> None:
    config = tmp_path / "broker.yaml"
    told = "" if asked is None else f"devices: {{at_once: {asked}}}\n"
    config.write_text(
        f"listen: {{threads: {threads}}}\nvideosdk: {{api_key: k}}\n{told}"
        f"storage: {{url: 'sqlite:///{tmp_path}/broker.db'}}\n"
    )
    places: list[int] = []
    monkeypatch.setattr("ingestd.broker.calls.Gate", lambda at_once, _random: places.append(at_once))
    compose.compose(read_settings(config)).storage.engine.dispose()
    assert places == [given]
