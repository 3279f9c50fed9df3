"""The ingest stand-in: the service's side of the contract, on this machine.

It answers `POST /v2/ingest/sessions`, takes the WebSocket connections of field devices, mixes what the
participants of a room say and sends each one the others, carries topic messages and signs lifecycle webhooks,
as the vendor's page says. For backends it makes rooms, takes registrations for webhooks and delivers them. What
the page leaves open is a switch (`settings.Settings`); what goes wrong in the field is scripted (`faults`).
Everything that arrives is recorded with the monotonic time of its arrival.

Tests hold a `client.StandIn`; people run `scripts/room`. It shares no code with ingestd, so that a mistake in
one is not repeated in the other.

    client ──admin HTTP──▶ admin ─┐
    device ──POST──▶ sessions ────┼──▶ world (settings, calls, rooms, faults, events)
    backend ──POST──▶ rooms, webhook_api ─▶ world; webhooks ──POST──▶ backend
    device ──WebSocket──▶ upgrade ─▶ connection ─▶ remote ─▶ room ─▶ mixing (each 20 ms tick)
"""
