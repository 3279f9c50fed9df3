"""Every time that decides how soon something is noticed, given up or tried again: one value, handed to all. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Times(NamedTuple):
    """The defaults are what devices run on; tests and simulations shorten them. Seconds."""

    # --- when to try again
    backoff_base_s: float = 0.5
    """Ceiling of the first wait after a fault that passes by itself; each next one doubles, up to"""
    backoff_cap_s: float = 58.0
    """this, less what the attempt took: a minute from one attempt to the end of the next."""
    person_least_s: float = 30.0
    """After a fault that only a person can mend: at least this, at most"""
    person_most_s: float = 300.0
    rejoin_s: float = 5.0
    """After a call that was ended on purpose, doubling up to"""
    rejoin_most_s: float = 60.0
    good_after_s: float = 10.0
    """A connection that lasted this long has proved good: all of the waits above begin anew."""
    network_jitter_s: float = 0.5
    """The network's return, or a stepped clock, ends a wait within this, as a whole site may have come back;"""
    hurry_every_s: float = 5.0
    """but over some minutes not more often than this: link, address and route come one after the other."""
    old_attempt_s: float = 1.0
    """An attempt that has had this long when the network comes back is begun anew."""

    renew_jitter_s: float = 30.0
    """A new token is taken within this, while the old session streams on: all devices of a fleet may see it at once."""

    reconnect_every_s: float = 1.0
    """How often a program may ask for another session, after the first few."""

    # --- one attempt
    attempt_s: float = 30.0
    """From the session request to the open connection."""
    dns_s: float = 5.0
    connect_rounds_s: tuple[float, ...] = (1.0, 2.0, 3.0)
    """A fresh SYN to every address in each round, instead of the kernel's doubling waits."""
    stagger_s: float = 0.25
    """How long an address has to answer before the next one is tried beside it (RFC 8305)."""
    tls_s: float = 5.0
    upgrade_s: float = 5.0
    """A proxy's answer, and the WebSocket's opening handshake."""
    answer_s: float = 10.0
    """The backend's whole answer, from the request on."""

    # --- one connection
    ping_every_s: float = 3.0
    pong_within_s: float = 5.0
    silent_for_s: float = 70.0
    """Nothing at all received: two of the server's ping intervals and some."""
    held_s: float = 3.5
    """Nothing acknowledged. TCP tries again 3.0 s after a loss and then not before 6.2 s: a fresh session is sooner."""
    held_when_network_came_s: float = 1.0
    settle_s: float = 0.5
    """After an event of the network, before the route to the server is looked at."""

    # --- messages
    message_waits_s: float = 30.0
    """What is published while the device is not in the room goes out within this, or is thrown away."""

    # --- the end of one
    overlap_s: float = 2.0
    """How long a second session may take to join the room before the audio is handed to it all the same."""
    goodbye_s: float = 1.0
    """How long the server may take to answer `stop` and the close frame."""


DEFAULT = Times()
