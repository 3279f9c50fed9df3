"""The configuration: read once, checked whole, handed on as frozen values."""

from ingestd.config.load import load_config
from ingestd.config.schema import Config
from ingestd.config.secret import Secret, read_token

__all__ = ["Config", "Secret", "load_config", "read_token"]
