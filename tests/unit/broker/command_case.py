"""`ingestd-broker` with a configuration of a test's own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from ingestd.broker.command.main import main
from ingestd.broker.migrating import migrate
from ingestd.broker.storage import Storage


class Said(NamedTuple):
    """What a command left."""

    status: int
    out: str
    err: str


class Command:
    """Runs it in this process, or tells how to run it in another."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str], **groups: object) -> None:
        self.config = directory / "broker.yaml"
        self.database = f"sqlite:///{directory}/broker.db"
        self._capsys = capsys
        (directory / "secret").write_text("the-api-secret")
        videosdk = {"api_key": "the-api-key", "api_secret_file": str(directory / "secret")}
        self.config.write_text(json.dumps({"videosdk": videosdk, "storage": {"url": self.database}, **groups}))

    def __call__(self, *arguments: str) -> Said:
        self._capsys.readouterr()
        try:
            status = main(["--config", str(self.config), *arguments])
        except SystemExit as end:  # argparse's
            status = int(end.code or 0)
        told = self._capsys.readouterr()
        return Said(status, told.out, told.err)

    def elsewhere(self, *arguments: str) -> list[str]:
        """The command line for a process of its own."""
        return [sys.executable, "-m", "ingestd.broker", "--config", str(self.config), *arguments]

    def storage(self) -> Storage:
        """Its database, with its tables."""
        storage = Storage(self.database)
        migrate(storage)
        return storage
