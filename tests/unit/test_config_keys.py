"""Each key's rule, by name: what it takes, what it refuses, and the words of the refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestd.config.schema import Config, Hook
from ingestd.config.web import Address
from tests.unit.config_case import BACKEND, ConfigCase


@pytest.fixture
def case(tmp_path: Path) -> ConfigCase:
    return ConfigCase(tmp_path)


def document(path: str, value: str) -> str:
    """A file with one key, written `backend.url`, beside the required one."""
    section, _, rest = path.partition(".")
    inner = value
    for key in reversed(rest.split(".") if rest else []):
        inner = f"{{{key}: {inner}}}"
    text = f"{section}: {inner}\n"
    if section == "backend":
        return text if path == "backend.url" else text.replace("{", "{url: 'https://h', ", 1)
    return BACKEND + text


def look_up(config: Config, path: str) -> object:
    found: object = config
    for key in path.split("."):
        found = getattr(found, key)
    return found


ACCEPTED: list[tuple[str, str, object]] = [
    (
        "backend.url",
        "https://api.videosdk.live/v2/ingest/sessions",
        "https://api.videosdk.live/v2/ingest/sessions",
    ),
    ("backend.url", "https://h:8443/x?code=1", "https://h:8443/x?code=1"),
    ("backend.url", "http://127.0.0.1:8080/s", "http://127.0.0.1:8080/s"),
    ("backend.url", "http://127.9.9.9", "http://127.9.9.9"),
    ("backend.url", "'http://[::1]:80/s'", "http://[::1]:80/s"),
    ("backend.url", "http://LOCALHOST:1/s", "http://LOCALHOST:1/s"),
    ("backend.url", "HTTPS://h/s", "HTTPS://h/s"),
    ("backend.token_file", "/run/credentials/t", Path("/run/credentials/t")),
    ("backend.auth_scheme", "raw", "raw"),
    ("backend.ca_file", "/etc/ca.pem", Path("/etc/ca.pem")),
    ("backend.ca_file", "null", None),
    ("backend.client_cert", "null", None),
    ("backend.proxy", "null", None),
    ("session.start", "demand", "demand"),
    ("session.room_id", "abcd-efgh-ijkl", "abcd-efgh-ijkl"),
    ("session.room_id", "'1234'", "1234"),
    ("session.room_id", "2026-01-01", "2026-01-01"),
    ("session.room_id", "null", None),
    ("session.region", "xy999", "xy999"),
    ("session.max_age_s", "0.5", 0.5),
    ("session.max_age_s", "31536000", 31536000.0),
    ("session.hangup_when_alone_s", "30", 30.0),
    ("session.max_call_s", "null", None),
    ("session.participant.id", "p_1", "p_1"),
    ("session.participant.name", "null", None),
    (
        "session.participant.metadata",
        "{a: [1, 2.5, true, null, {b: c}]}",
        {"a": [1, 2.5, True, None, {"b": "c"}]},
    ),
    ("audio.duplex", "half", "half"),
    ("audio.capture.device", "'plughw:CARD=USB,DEV=0'", "plughw:CARD=USB,DEV=0"),
    ("audio.capture.channel", "left", "left"),
    ("audio.capture.channel", "right", "right"),
    ("audio.capture.channel", "1", 1),
    ("audio.capture.channel", "64", 64),
    ("audio.capture.gain_db", "-60", -60.0),
    ("audio.capture.gain_db", "30", 30.0),
    ("audio.playback.gain_db", "1.5", 1.5),
    ("audio.playback.max_delay_ms", "40", 40),
    ("audio.playback.max_delay_ms", "400", 400),
    ("messaging.subscribe", "[]", ()),
    ("messaging.subscribe", "null", ()),
    ("messaging.subscribe", f"[A, {'t' * 128}]", ("A", "t" * 128)),
    ("messaging.max_bytes", "1", 1),
    ("messaging.max_bytes", "8192", 8192),
    ("hooks", "[]", ()),
    ("hooks", "null", ()),
    ("control.socket", "/tmp/s", Path("/tmp/s")),
    ("control.socket", "/" + "s" * 106, Path("/" + "s" * 106)),
    ("metrics.listen", "127.0.0.1:9465", Address("127.0.0.1", 9465)),
    ("metrics.listen", "localhost:1", Address("localhost", 1)),
    ("metrics.listen", "'[::1]:9465'", Address("::1", 9465)),
    ("log.level", "debug", "debug"),
]

REFUSED: list[tuple[str, str, str]] = [
    ("backend.url", "", "is empty; give an https:// URL"),
    ("backend.url", "12", "is not text; give an https:// URL"),
    ("backend.url", "h.example/s", "does not begin with https:// or http://"),
    ("backend.url", "wss://h/s", "does not begin with https:// or http://"),
    ("backend.url", "https:///s", "does not begin with https:// or http://"),
    ("backend.url", "https://:80/s", "has no host, or port 0"),
    ("backend.url", "https://h:0/s", "has no host, or port 0"),
    ("backend.url", "https://h:99999/s", "has a host or port that can't be"),
    ("backend.url", "'https://[::1/s'", "has a host or port that can't be"),
    ("backend.url", "http://h.example/s", "would send the token in the clear"),
    ("backend.url", "http://127.0.0.1.example/s", "would send the token in the clear"),
    ("backend.url", "http://localhost.example/s", "would send the token in the clear"),
    ("backend.url", "http://0.0.0.0/s", "would send the token in the clear"),
    ("backend.url", "http://127.1/s", "would send the token in the clear"),
    ("backend.url", "'http://[::ffff:127.0.0.1]/s'", "would send the token in the clear"),
    ("backend.url", "'https://h/a b'", "has a space, a backslash or a control character"),
    ("backend.url", '"http://h.example\\\\@localhost/"', "has a space, a backslash or a control character"),
    ("backend.url", "https://user:pw@h/s", "has a user or password in it"),
    ("backend.url", "http://localhost@h.example/s", "has a user or password in it"),
    ("backend.url", "'https://h/s#x'", "has a # part"),
    ("backend.token_file", "null", "is empty; give the absolute path of the token's file"),
    (
        "backend.token_file",
        "token",
        "is not an absolute path; give the absolute path of the token's file, from / on",
    ),
    ("backend.auth_scheme", "Bearer", "is the text 'Bearer'; give one of bearer, raw; did you mean bearer?"),
    ("backend.auth_scheme", "basic", "is the text 'basic'; give one of bearer, raw"),
    ("backend.ca_file", "ca.pem", "is 'ca.pem'; give an absolute path, from / on"),
    ("backend.ca_file", "''", "is ''; give an absolute path"),
    ("backend.ca_file", "false", "is false; put it in quotes to make it text: 'false'"),
    ("backend.client_cert", "/x.pem", "is the text '/x.pem'; give a group of keys"),
    ("backend.proxy", "proxy:3128", "does not begin with https:// or http://; give the URL of a proxy"),
    ("backend.proxy", "socks5://p:1", "does not begin with https:// or http://; give the URL of a proxy"),
    ("backend.proxy", "https://p:1", "is a proxy that is spoken to over TLS"),
    ("backend.proxy", "http://p:1/path", "has something after the host"),
    ("session.start", "on", "is on, which YAML reads as true; give one of auto, demand"),
    ("session.start", "null", "is empty; give one of auto, demand"),
    ("session.room_id", "1234", "is the number 1234; put it in quotes to make it text: '1234'"),
    ("session.room_id", "no", "is no, which YAML reads as false; put it in quotes to make it text: 'no'"),
    ("session.room_id", "''", "is empty text; give text"),
    ("session.room_id", "[a]", "is a list; give text"),
    ("session.room_id", '"a\\nb"', "with a control character in it; remove that"),
    ("session.room_id", "x" * 1025, "is 1025 characters long"),
    ("session.region", "{a: b}", "is a group of keys; give text"),
    ("session.max_age_s", "0", "is 0; give a number above 0 and up to 31536000 (seconds)"),
    ("session.max_age_s", "-1", "is -1; give a number above 0"),
    ("session.max_age_s", "31536001", "is 31536001; give a number above 0"),
    (
        "session.max_age_s",
        "'60'",
        "is the text '60'; give a number above 0 and up to 31536000 (seconds), without quotes",
    ),
    ("session.max_age_s", "1h", "is the text '1h'; give a number"),
    ("session.hangup_when_alone_s", "true", "is true; give a number"),
    ("session.max_call_s", "[1]", "is a list; give a number"),
    ("session.participant", "[]", "is a list; give a group of keys"),
    ("session.participant.id", "12", "put it in quotes to make it text: '12'"),
    ("session.participant.metadata", "[a]", "is a list; give a group of keys"),
    ("session.agent", "a_1", "is the text 'a_1'; give a group of keys"),
    ("audio.duplex", "no", "is no, which YAML reads as false; give one of full, half"),
    ("audio.capture.device", "null", "is empty; give text (null as text goes in quotes: 'null')"),
    ("audio.capture.channel", "0", "is 0; channels count from 1: give 1 for the first"),
    (
        "audio.capture.channel",
        "65",
        "is the number 65; give one of mix, left, right, or the number of a channel",
    ),
    ("audio.capture.channel", "1.0", "is the number 1.0; give one of mix"),
    ("audio.capture.channel", "'2'", "without quotes"),
    ("audio.capture.channel", "true", "is true; give one of mix"),
    ("audio.capture.channel", "centre", "is the text 'centre'; give one of mix"),
    ("audio.capture.gain_db", "-60.1", "is -60.1; give a number from -60 to 30 (dB)"),
    ("audio.capture.gain_db", "30.5", "is 30.5; give a number from -60 to 30 (dB)"),
    ("audio.playback.gain_db", "3dB", "is the text '3dB'; give a number from -60 to 30 (dB)"),
    ("audio.playback.max_delay_ms", "39", "is 39; give a whole number from 40 to 400 (ms)"),
    ("audio.playback.max_delay_ms", "401", "is 401; give a whole number from 40 to 400 (ms)"),
    ("audio.playback.max_delay_ms", "100.5", "is 100.5; give a whole number"),
    ("messaging.subscribe", "CHAT", "is the text 'CHAT'; give a list of topics, like [CHAT]"),
    ("messaging.max_bytes", "0", "is 0; give a whole number from 1 to 8192 (bytes)"),
    ("messaging.max_bytes", "8193", "is 8193; give a whole number"),
    ("hooks", "{topic: A}", "is a group of keys; give a list of hooks"),
    ("control.socket", "/" + "s" * 107, "is 108 bytes long; give an absolute path of at most 107"),
    ("metrics.listen", "9465", "put it in quotes to make it text: '9465'"),
    ("metrics.listen", "localhost", "without a port; give HOST:PORT, like 127.0.0.1:9465"),
    ("metrics.listen", "':9465'", "without a host; give HOST:PORT"),
    ("metrics.listen", "'h:0'", "must be a number from 1 to 65535"),
    ("metrics.listen", "'h:65536'", "must be a number from 1 to 65535"),
    ("metrics.listen", "'h:x'", "must be a number from 1 to 65535"),
    ("metrics.listen", "'::1:9465'", "with a host that can't be"),
    ("metrics.listen", "'[::g]:9465'", "with a host that can't be"),
    ("metrics.listen", "'a b:9465'", "with a host that can't be"),
    (
        "log.level",
        "warn",
        "is the text 'warn'; give one of debug, info, warning, error; did you mean warning?",
    ),
    ("log", "info", "is the text 'info'; give a group of keys"),
]


@pytest.mark.parametrize(("path", "text", "expected"), ACCEPTED)
def test_accepts(case: ConfigCase, path: str, text: str, expected: object) -> None:
    found = look_up(case.load(document(path, text)), path)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("path", "text", "expected"), REFUSED)
def test_refuses(case: ConfigCase, path: str, text: str, expected: str) -> None:
    fault = case.fault(document(path, text))
    assert f": {path}: " in fault
    assert expected in fault


@pytest.mark.parametrize(
    ("text", "place", "advice"),
    [
        ("room_id: x", "room_id", "did you mean session.room_id?"),
        ("capture: {}", "capture", "did you mean audio.capture?"),
        ("session: {roomId: x}", "session.roomId", "did you mean session.room_id?"),
        ("session: {url: x}", "session.url", "did you mean backend.url?"),
        (
            "audio: {gain_db: 1}",
            "audio.gain_db",
            "did you mean audio.capture.gain_db or audio.playback.gain_db?",
        ),
        ("audio: {playback: {gain-db: 1}}", "audio.playback.gain-db", "did you mean audio.playback.gain_db?"),
        (
            "audio: {capture: {mixer: {control: M, level: 1}}}",
            "audio.capture.mixer.level",
            "mixer.level_percent?",
        ),
        (
            "hooks: [{topic: T, exec: [/x], timeout: 1}]",
            "hooks[0].timeout",
            "did you mean hooks[].timeout_s?",
        ),
        ("logging: {}", "logging", "did you mean log?"),
        ("log: {zzzzz: 1}", "log.zzzzz", "remove it; the keys of log are level"),
        (
            "qqqqq: 1",
            "qqqqq",
            "remove it; the keys of the top level are backend, session, audio, messaging, hooks",
        ),
    ],
)
def test_an_unknown_key_names_the_nearest(case: ConfigCase, text: str, place: str, advice: str) -> None:
    fault = case.fault(BACKEND + text + "\n")
    assert fault.startswith(f"ingestd.yaml:2: {place}: is not a key ingestd knows; ")
    assert advice in fault


def test_a_token_in_the_file_is_not_shown(case: ConfigCase) -> None:
    fault = case.fault("backend: {url: 'https://h', token: eyJhbGciOiJIUzI1NiJ9}")
    assert "did you mean backend.token_file?" in fault
    assert "eyJ" not in fault


@pytest.mark.parametrize("key", ["url", "token_file", "proxy"])
def test_a_secret_pasted_into_the_wrong_key_is_not_shown(case: ConfigCase, key: str) -> None:
    for value in ("eyJhbGciOiJIUzI1NiJ9", "123456"):
        assert value not in case.fault(document(f"backend.{key}", value))


def test_a_hooks_secret_pasted_for_its_file_is_not_shown(case: ConfigCase) -> None:
    fault = case.fault(BACKEND + "hooks: [{topic: T, exec: [/x], hmac_secret_file: hunter2}]")
    assert "the secret itself belongs into the file" in fault
    assert "hunter2" not in fault


def test_a_proxy_with_a_password_is_kept_as_a_secret(case: ConfigCase) -> None:
    config = case.load(document("backend.proxy", "http://user:hunter2@proxy.example:3128"))
    assert config.backend.proxy is not None
    assert config.backend.proxy.reveal() == "http://user:hunter2@proxy.example:3128"
    assert "hunter2" not in repr(config)


@pytest.mark.parametrize("text", ["127.0.0.1:9465", "[::1]:9465"])
def test_an_address_shows_itself_as_it_was_written(case: ConfigCase, text: str) -> None:
    assert str(case.load(document("metrics.listen", f"'{text}'")).metrics.listen) == text


def test_a_client_certificate(case: ConfigCase) -> None:
    cert = case.load(document("backend.client_cert", "{cert_file: /c, key_file: /k}")).backend.client_cert
    assert cert is not None
    assert (cert.cert_file, cert.key_file) == (Path("/c"), Path("/k"))
    assert ": backend.client_cert.key_file: is missing; add it: an absolute path" in case.fault(
        document("backend.client_cert", "{cert_file: /c}")
    )


def test_an_agent_hands_unknown_keys_on(case: ConfigCase) -> None:
    agent = case.load(
        BACKEND + "session: {agent: {id: a, metadata: {k: v}, type: voice, x: {y: [1]}}}"
    ).session.agent
    assert agent is not None
    assert (agent.id, agent.metadata, agent.others) == ("a", {"k": "v"}, {"type": "voice", "x": {"y": [1]}})


@pytest.mark.parametrize("text", ["{metadata: {}}", "{}", "{type: voice}"])
def test_an_agent_without_id_is_a_fault_of_its_own(case: ConfigCase, text: str) -> None:
    assert case.fault(BACKEND + f"session: {{agent: {text}}}") == (
        "ingestd.yaml:2: session.agent.id: is missing; add it: text, the agent's identifier"
    )


def test_an_agent_may_have_a_key_named_like_our_field(case: ConfigCase) -> None:
    agent = case.load(BACKEND + "session: {agent: {id: a, others: 1}}").session.agent
    assert agent is not None
    assert agent.others == {"others": 1}


@pytest.mark.parametrize("word", ["yes", "no", "on", "Off"])
def test_words_only_yaml_takes_for_booleans_are_refused_in_metadata(case: ConfigCase, word: str) -> None:
    fault = case.fault(BACKEND + f"session: {{participant: {{metadata: {{country: [{word}]}}}}}}")
    assert f"session.participant.metadata.country[0]: is {word}, which YAML reads as" in fault


def test_a_mixer(case: ConfigCase) -> None:
    mixer = case.load(
        BACKEND + "audio: {capture: {mixer: {control: Mic, level_percent: 80}}}"
    ).audio.capture.mixer
    assert mixer is not None
    assert (mixer.control, mixer.level_percent) == ("Mic", 80.0)
    for text, expected in [
        ("{level_percent: 1}", "mixer.control: is missing"),
        ("{control: M, level_percent: 101}", "from 0 to 100"),
        ("{control: M, level_percent: -1}", "from 0 to 100"),
    ]:
        assert expected in case.fault(BACKEND + f"audio: {{playback: {{mixer: {text}}}}}")


def test_a_topic_has_its_limits_item_by_item(case: ConfigCase) -> None:
    faults = case.faults(
        BACKEND + f"messaging:\n  subscribe:\n  - A\n  - ''\n  - {'t' * 129}\n  - 7\n  - A\n"
    )
    assert [fault.split(": is ")[0].split(": lists ")[0] for fault in faults] == [
        f"ingestd.yaml:{line}: messaging.subscribe[{index}]"
        for line, index in ((5, 1), (6, 2), (7, 3), (8, 4))
    ]
    assert "lists 'A' a second time; remove it" in faults[3]


def hook(case: ConfigCase, text: str) -> Hook:
    (found,) = case.load(BACKEND + f"hooks: [{{{text}}}]").hooks
    return found


def test_a_hooks_defaults(case: ConfigCase) -> None:
    assert hook(case, "topic: RELAY, exec: [/bin/relay]") == Hook(
        topic="RELAY",
        state=None,
        exec=("/bin/relay",),
        timeout_s=10.0,
        allow_senders=None,
        hmac_secret_file=None,
        reply=False,
    )


def test_a_hook_with_everything(case: ConfigCase) -> None:
    text = "topic: R, exec: [/bin/r, '', \"a\\nb\"], timeout_s: 2.5, allow_senders: [p], hmac_secret_file: /s"
    found = hook(case, text + ", reply: yes")
    assert found.exec == ("/bin/r", "", "a\nb")
    assert (found.timeout_s, found.allow_senders, found.reply) == (2.5, ("p",), True)
    assert found.hmac_secret_file == Path("/s")


@pytest.mark.parametrize(
    "state", ["connected", "disconnected", "alone", "device-lost", "device-back", "fault"]
)
def test_a_hooks_states(case: ConfigCase, state: str) -> None:
    assert hook(case, f"state: {state}, exec: [/bin/x]").state == state


def test_nobody_may_be_allowed(case: ConfigCase) -> None:
    assert hook(case, "topic: T, exec: [/x], allow_senders: []").allow_senders == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exec: [/x]", "hooks[0]: has neither topic nor state; give exactly one of them"),
        (
            "topic: T, state: alone, exec: [/x]",
            "hooks[0]: has both topic and state; give exactly one of them",
        ),
        ("topic: T", "hooks[0].exec: is missing; add it: a list: [/path/of/program, argument, …]"),
        ("topic: T, exec: []", "hooks[0].exec: is an empty list"),
        ("topic: T, exec: null", "hooks[0].exec: is an empty list"),
        ("topic: T, exec: /bin/x", "hooks[0].exec: is the text '/bin/x'; give a list"),
        ("topic: T, exec: [x]", "hooks[0].exec[0]: is the text 'x'; give the program's absolute path"),
        (
            "topic: T, exec: [/x, 5]",
            "hooks[0].exec[1]: is the number 5; put it in quotes to make it text: '5'",
        ),
        ('topic: T, exec: [/x, "a\\0"]', "hooks[0].exec[1]: is 'a\\x00', with a control character"),
        (
            'topic: T, exec: ["/x\\n"]',
            "hooks[0].exec[0]: is the text '/x\\n'; give the program's absolute path",
        ),
        ("state: lost, exec: [/x]", "did you mean device-lost?"),
        ("topic: '', exec: [/x]", "hooks[0].topic: is empty text; give a topic of 1 to 128 characters"),
        ("topic: T, exec: [/x], timeout_s: 0", "hooks[0].timeout_s: is 0; give a number above 0"),
        ("topic: T, exec: [/x], timeout_s: null", "hooks[0].timeout_s: is empty; give a number above 0"),
        ("topic: T, exec: [/x], reply: 1", "hooks[0].reply: is the number 1; give true or false"),
        ("topic: T, exec: [/x], allow_senders: p", "give a list of participant ids, like [p_123]"),
        (
            "state: alone, exec: [/x], reply: true",
            "hooks[0]: has reply, but a state has no sender; remove reply",
        ),
        ("state: alone, exec: [/x], allow_senders: [p]", "has allow_senders, but a state has no sender"),
        ("state: alone, exec: [/x], hmac_secret_file: /s", "has hmac_secret_file, but a state has no sender"),
    ],
)
def test_a_hook_refuses(case: ConfigCase, text: str, expected: str) -> None:
    assert expected in case.fault(BACKEND + f"hooks: [{{{text}}}]")


def test_a_hook_that_is_no_group(case: ConfigCase) -> None:
    assert "hooks[1]: is the text 'x'; give a group of keys" in case.fault(
        BACKEND + "hooks: [{topic: T, exec: [/x]}, x]"
    )
