"""How a database of any age becomes today's: Alembic's scripts, run by `ingestd.broker.migrating` alone.

One that was released is never changed; what `model` changes is a new one in `versions`, named and numbered on.
"""
