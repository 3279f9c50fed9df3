"""Why no call came to be, and what helps: the texts of `core.remedies` for attempts, as data. Pure.

{token_file}, {host} (the backend's), {origin} (the same with scheme and port), {room} and {config} are filled in.
`Rules` are read from the top: the first pattern found in the error's text counts, and the last one fits all. Names are
an interface: the journal's catalog, alerts and scripts know a fault by its name, whatever its text becomes.
"""

from __future__ import annotations

from typing import Final

from ingestd.errors import BackendFault

Rules = tuple[tuple[str, str, str, str], ...]
"""Name, pattern (a regular expression), meaning, remedy."""

PASSES: Final = "Nothing to do, it is tried again; if it stays for hours, ask whoever runs the service."
GIVEN_UP: Final = (
    "given-up",
    r"abandoned|ended from this side",
    "It was given up on purpose, for something better or at the end of a call.",
    "Nothing to do.",
)
NO_WAY: Final = (
    "no-way",
    r"unreachable|no route|(network|host) is down",
    "This device has no way to that address: no link, no address or no default route.",
    "Nothing to do: it is tried as soon as the network is back; else look at cable, Wi-Fi or modem, and at `ip route`.",
)

REACHING: Final[Rules] = (
    GIVEN_UP,
    (
        "dns",
        r"can't resolve",
        "The device has no working DNS, or there is no such name.",
        "Nothing to do while the network is down, it is tried again; else try `getent hosts {host}`.",
    ),
    (
        "proxy-trouble",
        r"\bthe proxy\b",
        "The proxy is there, but did not open the way.",
        "Nothing to do if the proxy restarts, it is tried again; else ask whoever runs it.",
    ),
    (
        "session-too-late",
        r"no time left",
        "Creating the session took so long that nothing was left of its time to be claimed in.",
        "Nothing to do, a new session is made; if it stays, the network is very slow or `expiresIn` very short.",
    ),
    (
        "connection-refused",
        r"connection refused",
        "The machine is there, but nothing listens on that port, or a firewall says no.",
        "Nothing to do if the server restarts, it is tried again; else see whether it runs, and on which port.",
    ),
    (
        "no-answer",
        r"timed out|in time|no answer within|no session came to be",
        "Packets go out and nothing comes back: a firewall that drops them, a dead link, or an overloaded server.",
        "Nothing to do if it passes, it is tried again; else try `curl -v {origin}` and let that port out.",
    ),
    NO_WAY,
    (
        "wrong-answer",
        r"tls|ssl|handshake|http answer",
        "Something answers, but not as that server does: a captive portal, an inspecting proxy, a fault.",
        "Nothing to do if it passes, it is tried again; else log in to the network, or try `curl -v {origin}`.",
    ),
    (
        "connection-broke",
        r"",
        "The connection broke before it was of any use.",
        "Nothing to do if it passes, it is tried again; else try `curl -v {origin}` from this device.",
    ),
)
"""No session and no connection came to be, and no server said why."""

CERTIFICATES: Final[Rules] = (
    (
        "certificate-files",
        r"can't load",
        "A file with certificates is missing, unreadable for the daemon's user, or not PEM.",
        "Mend the files that backend.ca_file and backend.client_cert name in {config}.",
    ),
    (
        "own-certificate-refused",
        r"refused this device",
        "The server lets in only devices with a certificate it knows; this one's is missing, too old or strange to it.",
        "Have one made by the CA that {host} trusts, and name it in backend.client_cert.",
    ),
    (
        "clock-in-the-past",
        r"not yet valid",
        "A device without a battery for its clock boots in the past, where no certificate is valid yet.",
        "See `timedatectl`, and let NTP out (UDP port 123); it is tried again as soon as the clock is set.",
    ),
    (
        "name-mismatch",
        r"mismatch",
        "Who answers is not who was asked for: a wrong name or address in the URL, or an interceptor.",
        "Use the name that the certificate is for in backend.url, or in the wsUrl that {host} hands out.",
    ),
    (
        "certificate-expired",
        r"has expired",
        "Either the certificate is really too old, or this clock is ahead.",
        "Compare the time with `timedatectl`; if it is right, the server needs a new certificate.",
    ),
    (
        "certificate-untrusted",
        r"",
        "The certificate is signed by nobody this device trusts: a private CA, old CA files, or an interceptor.",
        "Name the CA in backend.ca_file of {config}, or update the package ca-certificates.",
    ),
)

UPGRADES: Final[Rules] = (
    (
        "session-used-up",
        r"^4(0[0-4]|09|10)$",
        "The server does not know the session any more: each URL holds once, and for 90 s.",
        "Nothing to do, a new session is made; if it stays, {host} hands out old URLs, or one URL twice.",
    ),
    (
        "too-many-connections",
        r"^429$",
        "The service gets more connections than it allows.",
        "Nothing to do, it is tried again when the server said; if it stays, too many devices share one account.",
    ),
    (
        "server-trouble",
        r"^5",
        "The server that should carry the call is in trouble or being replaced.",
        PASSES,
    ),
    (
        "no-websocket",
        r"",
        "Whatever answered is no WebSocket server: a captive portal, or a proxy that knows only web pages.",
        "Nothing to do if the network wants a login first, it is tried again; else use a way without that proxy.",
    ),
)
"""By the HTTP status."""

PROXIES: Final[Rules] = (
    (
        "proxy-login",
        r"answered (401|407)",
        "The proxy lets nobody through without a login, and this one is missing or wrong.",
        "Put user and password into backend.proxy in {config}: http://USER:PASSWORD@PROXY:PORT.",
    ),
    (
        "proxy-kind",
        r"no http:// URL|answered 0$",
        "The environment names a proxy of a kind that ingestd does not speak to, and no request is made without it.",
        "Correct HTTPS_PROXY in the service's environment, or set backend.proxy in {config}.",
    ),
    (
        "proxy-refuses",
        r"",
        "The proxy is not to open tunnels (CONNECT) to that host and port for this device.",
        "Ask whoever runs it to allow CONNECT to {origin}, and to the ingest servers on port 443.",
    ),
)

BACKEND: Final[dict[BackendFault, Rules]] = {
    BackendFault.UNREACHABLE: REACHING,
    BackendFault.TLS: CERTIFICATES,
    BackendFault.PROXY: PROXIES,
    BackendFault.TRANSIENT: (
        (
            "busy-room",
            r"^the backend answered 409",
            "Something else about this room or participant is under way at the service.",
            PASSES,
        ),
        (
            "backend-trouble",
            r"",
            "{host} is there, but in trouble or under maintenance.",
            "Nothing to do, it is tried again; if it stays for hours, ask whoever runs it.",
        ),
    ),
    BackendFault.RATE_LIMITED: (
        (
            "rate-limited",
            r"",
            "More sessions are asked for than the account may have.",
            "Nothing to do, it is tried again when the server said; if it stays, too many devices share one token.",
        ),
    ),
    BackendFault.UNAUTHORIZED: (
        (
            "unauthorized",
            r"",
            "The token in {token_file} has expired, is damaged, or is sent in another form than expected.",
            "Put a fresh token there, it is then tried at once; if it was fresh, try the other backend.auth_scheme.",
        ),
    ),
    BackendFault.FORBIDDEN: (
        (
            "forbidden",
            r"",
            "The token in {token_file} is genuine, but not for this.",
            "Put one with the permission allow_join (and for this room) there; it is then tried at once.",
        ),
    ),
    BackendFault.NOT_FOUND: (
        (
            "not-found",
            r"",
            "The service does not know {room} in this account; its 402 means that too, not a bill.",
            "Check session.room_id and backend.url in {config}; create the room if it is gone.",
        ),
    ),
    BackendFault.REFUSED: (
        (
            "redirected",
            r"^the backend answered 3",
            "The URL leads elsewhere, and a token goes only where the configuration says.",
            "Put the final URL into backend.url in {config}, unless the network only wants a login.",
        ),
        (
            "wrong-url",
            r"^the backend answered 405",
            "There is something at that URL, but nothing that creates sessions.",
            "Put the full URL into backend.url in {config}; the service's ends in /v2/ingest/sessions.",
        ),
        (
            "refused",
            r"",
            "The service takes {room} or a field of the request for wrong.",
            "Check room_id, participant, agent and region of session in {config}.",
        ),
    ),
    BackendFault.TOKEN: (
        (
            "token-missing",
            r"",
            "Without a token no session can be asked for.",
            "Write the token alone into {token_file}, readable by the daemon's user; it is then tried at once.",
        ),
    ),
    BackendFault.BAD_ANSWER: (
        (
            "unencrypted",
            r"only wss://",
            "The backend hands out URLs over which the call would go unencrypted.",
            "Nothing to do here but to wait; whoever runs {host} has to hand out wss:// URLs.",
        ),
        (
            "bad-answer",
            r"",
            "What answers is not the service: a captive portal, a page about maintenance, or another URL.",
            "Nothing to do if the network wants a login or it passes; else mend backend.url in {config}.",
        ),
    ),
}

OF_A_CREDENTIAL: Final[dict[str, str]] = {
    "unauthorized": (
        "Encrypt a fresh one (`ingestctl setup` shows how), then `systemctl restart ingestd`; if it was fresh, try the "
        "other backend.auth_scheme."
    ),
    "forbidden": (
        "Encrypt one with the permission allow_join (and for this room), as `ingestctl setup` shows, then "
        "`systemctl restart ingestd`."
    ),
    "token-missing": (
        "Encrypt it anew (`ingestctl setup` shows how), then `systemctl restart ingestd`; `systemctl cat ingestd` "
        "shows what hands it over."
    ),
}
"""Remedies by name, where the token is no file to write into but a credential of systemd's (`core.credential`)."""
