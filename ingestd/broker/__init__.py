"""The session broker: the backend that devices get their sessions from, so that none holds a token of the service.

    device ── POST /v1/sessions ──▶ web ─▶ calls ─▶ service ── POST /v2/ingest/sessions ──▶ VideoSDK
                                            │  ▲
                                   devices ─┘  └─ tokens (minted here, kept here)
    VideoSDK ── POST /v1/webhooks/videosdk ──▶ web ─▶ signatures ─▶ events
                                            all of it in one database: storage

Its own package: of ingestd beside it only the configuration's reader (`ingestd.config`) and three small modules of
`ingestd.core` are used, which are shipped with it. Every request runs in a thread of a gunicorn worker; any of them may
call what is here unless it says otherwise.
"""
