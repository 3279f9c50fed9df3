"""Alembic runs this for every command: on the connection, and within the transaction, that `migrating` has opened."""

from __future__ import annotations

from alembic import context

from ingestd.broker.model import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
