"""Which figures there are: name, kind, meaning, and where each stands in the status. As data; pure.

Names as https://prometheus.io/docs/practices/naming/ has them: base units, counters that end in `_total`. They are an
interface: dashboards and alerts go by them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_MS: Final = 0.001
_PPM: Final = 1e-6


class Figure(NamedTuple):
    """One that is a number in the status. What is null there is left out."""

    name: str
    """Without the prefix `ingestd_`, and a counter's without `_total`."""
    help: str
    path: str
    """Keys of the status, with dots."""
    counter: bool = False
    factor: float = 1.0


def _count(name: str, help: str, path: str, factor: float = 1.0) -> Figure:
    return Figure(name, help, path, True, factor)


FIGURES: Final = (
    # The session
    Figure("next_attempt_seconds", "Until the next attempt at a session; only while one is waited for.",
           "next_attempt_in_s"),
    Figure("session_joined", "1 once the service has shown that the device is in the room.", "session.joined"),
    Figure("session_round_trip_seconds", "From a ping of the connection to its answer.", "session.rtt_ms", factor=_MS),
    Figure("session_first_audio_seconds", "From the connection's opening to the first audio of the room.",
           "session.first_audio_s"),
    _count("session_reconnects", "Connections that came after another was lost.", "session.reconnects"),
    _count("session_renewals", "Sessions that took over from another without a gap.", "session.renewals"),
    Figure("room_others", "Others in the room, where the service tells.", "room.others"),
    Figure("room_alone_seconds", "For how long the device has been alone in the room.", "room.alone_s"),
    Figure("config_last_good", "1 while the device runs on its last good configuration, as the present one is faulty.",
           "config.last_good"),
    # To the room
    _count("uplink_frames", "Frames of 20 ms sent to the room.", "uplink.frames"),
    _count("uplink_silence_frames", "Frames of silence among them, made up for want of a microphone; a mute is none.",
           "uplink.silence"),
    _count("uplink_dropped_frames", "Frames that could not go out in time and were thrown away.", "uplink.dropped"),
    Figure("uplink_backlog_seconds", "Audio that waits to be sent.", "uplink.backlog_ms", factor=_MS),
    Figure("uplink_latency_median_seconds", "From a frame's last sample to its sending: half are faster, since start.",
           "uplink.latency_ms.p50", factor=_MS),
    Figure("uplink_latency_p95_seconds", "The same: 95 of 100 are faster.", "uplink.latency_ms.p95", factor=_MS),
    Figure("uplink_latency_max_seconds", "The same: the slowest of all.", "uplink.latency_ms.max", factor=_MS),
    _count("uplink_overruns", "Times that samples of the microphone were lost in the device.", "uplink.xruns"),
    _count("uplink_clipped_samples", "Samples that the gain made too loud.", "uplink.clipped"),
    Figure("uplink_level_dbfs", "Loudness of what the microphone hears, after gain and before a mute, dB below full "
           "scale.", "uplink.level_dbfs"),
    Figure("uplink_peak_dbfs", "The same: its peaks.", "uplink.peak_dbfs"),
    Figure("uplink_gain_decibels", "Gain in software, of the microphone.", "uplink.gain_db"),
    Figure("uplink_muted", "1 while the microphone is muted by somebody.", "uplink.muted"),
    # From the room
    _count("downlink_frames", "Frames of 20 ms that came from the room.", "downlink.frames"),
    Figure("downlink_delay_seconds", "Room audio that is held back to ride out jitter.", "downlink.delay_ms",
           factor=_MS),
    Figure("downlink_target_delay_seconds", "How much is meant to be held back.", "downlink.target_ms", factor=_MS),
    _count("downlink_accelerations", "Pitch periods taken out, to win delay back.", "downlink.accelerated"),
    _count("downlink_expansions", "Pitch periods put in, as there was too little audio.", "downlink.expanded"),
    _count("downlink_concealed_seconds", "Sound made up where the room's was missing.", "downlink.concealed", _MS),
    _count("downlink_dropped_seconds", "Room audio that came and was not played.", "downlink.dropped_ms", _MS),
    _count("downlink_underruns", "Times that room audio ran out while somebody spoke.", "downlink.underruns"),
    _count("downlink_device_underruns", "Times that the speaker's own buffer ran empty.", "downlink.device_underruns"),
    _count("downlink_played_seconds", "Sound that the speaker was given, silence too.", "downlink.played_s"),
    _count("downlink_clipped_samples", "Samples that the gain made too loud.", "downlink.clipped"),
    Figure("downlink_level_dbfs", "Loudness of what is played, dB below full scale.", "downlink.level_dbfs"),
    Figure("downlink_peak_dbfs", "The same: its peaks.", "downlink.peak_dbfs"),
    Figure("downlink_gain_decibels", "Gain in software, of the speaker.", "downlink.gain_db"),
    Figure("playback_queued_seconds", "Sound in the speaker's own buffer.", "devices.playback.queued_ms", factor=_MS),
    # Messages
    _count("messages_sent", "Messages of local programs that went out to the room.", "messaging.sent"),
    _count("messages_received", "Messages that came from the room.", "messaging.received"),
    Figure("messages_waiting", "Messages that wait to go out.", "messaging.waiting"),
    _count("messages_expired", "Messages thrown away, as there was no room to send them to in time.",
           "messaging.expired"),
    _count("room_events_discarded", "Events of the room that came faster than they could be taken.",
           "messaging.discarded"),
    # Local programs
    Figure("control_clients", "Local programs on the control socket.", "control.clients"),
    _count("control_clients_cut_off", "Local programs that were cut off, for not reading or for lines without end.",
           "control.cut_off"),
    _count("control_clients_refused", "Local programs that were not let in.", "control.refused"),
    _count("control_news_missed", "News that no local program was told, as they came too fast.", "control.missed"),
)

CLOCKS: Final = Figure(
    "clock_drift_ratio", "How much faster than this machine's clock it runs; 1e-6 is one ppm.", "clocks", factor=_PPM
)
"""By the label `clock`: capture, playback, server."""

DEVICES: Final = (
    Figure("device_lost", "1 while the sound device is absent, busy or otherwise of no use.", "lost"),
    Figure("device_period_seconds", "How often the device asks to be served.", "period_ms", factor=_MS),
    Figure("device_buffer_seconds", "How much sound the device's own buffer takes.", "buffer_ms", factor=_MS),
)
"""By the label `device`: capture, playback."""

STATE: Final = ("state", "1 for the state the device is in, 0 for all others.")
IN_ROOM: Final = ("in_room", "1 while audio flows to and from the room.")
STATE_SINCE: Final = ("state_start_time_seconds", "When the present state began, seconds since 1970.")
ROOM_SINCE: Final = ("room_change_time_seconds", "Since when the device is in the room, or not; seconds since 1970.")
SESSION_SINCE: Final = ("session_start_time_seconds", "When the present session began, seconds since 1970.")
REFUSED: Final = ("inbound_refused", "Messages of the server that made no sense, by what was wrong.")
START_AUTO: Final = ("session_start_auto", "1 where the device is always to be in its room, 0 where on demand.")
FAILED: Final = ("attempts_failed", "Attempts at a session, and connections, that failed, by what was wrong.")
MUTE_UNKEPT: Final = (
    "mute_unkept", "1 while a restart would not know what mute and gain were set to last, as it can't be written down.",
)
FAULT: Final = ("fault_active", "1 while something is wrong, 0 once it is over; the last ones, by their names.")
TOKEN_EXPIRY: Final = (
    "token_expiry_timestamp_seconds", "When the backend's token expires, where it is a JWT that says so; since 1970.",
)
BUILD: Final = ("build", "The version that runs.")
