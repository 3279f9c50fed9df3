"""What the tests of the configuration share: a directory of files, and what loading it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestd.config import Config, load_config
from ingestd.config.identity import Identity
from ingestd.errors import ConfigError

MACHINE_ID = "0123456789abcdef0123456789abcdef"
BACKEND = "backend: {url: 'https://broker.example/sessions'}\n"


class ConfigCase:
    """A configuration directory, on a machine whose names are known."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.main = directory / "ingestd.yaml"
        machine_id = directory / "machine-id"
        machine_id.write_text(MACHINE_ID + "\n")
        self.serial = directory / "serial-number"
        self.serial.write_bytes(b"10000000abcdef01\0")
        self.identity = Identity(lambda: "dev-12", machine_id, (self.serial,))

    def write(self, text: str | bytes, name: str = "ingestd.yaml") -> Path:
        """Writes one file of the configuration."""
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def load(self, text: str | bytes | None = None) -> Config:
        """Loads what was written, after writing `text` to the main file if given."""
        if text is not None:
            self.write(text)
        return load_config(self.main, self.identity)

    def faults(self, text: str | bytes | None = None) -> list[str]:
        """The faults of loading, without the directory in front of file names."""
        with pytest.raises(ConfigError) as caught:
            self.load(text)
        return [line.replace(f"{self.directory}/", "") for line in caught.value.faults]

    def fault(self, text: str | bytes | None = None) -> str:
        """The only fault of loading."""
        faults = self.faults(text)
        assert len(faults) == 1, faults
        return faults[0]
