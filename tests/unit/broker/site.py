"""The broker's application in this process, on a database with its tables, for requests by Flask's test client."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from ingestd.broker.app import make_app
from ingestd.broker.compose import Broker, compose
from ingestd.broker.migrating import migrate
from ingestd.broker.settings import read_settings

OPERATOR_KEY = "the-operators-key"


class Site:
    """A broker; its service is nowhere."""

    def __init__(self, directory: Path, database_url: str, *, operators: str | None = OPERATOR_KEY) -> None:
        """`operators`: what their key's file holds; None for no such file."""
        self.key_file = directory / "operator-key"
        if operators is not None:
            self.key_file.write_text(operators)
        config = directory / "broker.yaml"
        config.write_text(
            "listen: {address: '127.0.0.1:8080'}\n"
            f"videosdk: {{url: 'http://127.0.0.1:9', api_key: key, api_secret_file: '{directory}/secret'}}\n"
            f"storage: {{url: '{database_url}'}}\n"
            f"operators: {{key_file: '{self.key_file}'}}\n"
        )
        self.broker: Broker = compose(read_settings(config))
        migrate(self.broker.storage)
        self.app: Flask = make_app(self.broker)
        self.client: FlaskClient = self.app.test_client()

    def close(self) -> None:
        """Closes the database."""
        self.broker.storage.engine.dispose()
