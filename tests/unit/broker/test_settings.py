"""Each key's rule, by name: what it takes, what it refuses, and the words of the refusal."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from ingestd.broker.settings import Settings, read_settings
from ingestd.config.web import Address
from ingestd.errors import ConfigError

KEY = "videosdk: {api_key: a-key}\n"
NETWORKS = (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
MAY_SET = "give a list of room_id, participant.id, participant.name, participant.metadata, agent, region"


def read(directory: Path, text: str | None) -> Settings:
    """The settings of a file with that text, of none for None."""
    path = directory / "broker.yaml"
    if text is not None:
        path.write_text(text)
    return read_settings(path)


def faults(directory: Path, text: str | None) -> list[str]:
    """What is wrong with it, without the directory."""
    with pytest.raises(ConfigError) as caught:
        read(directory, text)
    return [fault.replace(f"{directory}/", "") for fault in caught.value.faults]


def document(path: str, value: str) -> str:
    """A file with one key, written `listen.workers`, beside the required one."""
    group, key = path.split(".")
    if group == "videosdk" and key != "api_key":
        return f"videosdk: {{api_key: a-key, {key}: {value}}}\n"
    return f"{group}: {{{key}: {value}}}\n" + (KEY if group != "videosdk" else "")


def shown(settings: Settings, path: str) -> object:
    """The value at a dotted path, a secret revealed."""
    found: object = settings
    for key in path.split("."):
        found = getattr(found, key)
    return found.reveal() if path == "storage.url" else found  # type: ignore[attr-defined]


ACCEPTED: list[tuple[str, str, object]] = [
    ("listen.address", "127.0.0.1:80", Address("127.0.0.1", 80)),
    ("listen.address", "'[::1]:8080'", Address("::1", 8080)),
    ("listen.address", "localhost:8080", Address("localhost", 8080)),
    ("listen.tls", "null", None),
    ("listen.workers", "64", 64),
    ("listen.threads", "4", 4),
    ("videosdk.url", "https://api.example:8443/", "https://api.example:8443/"),
    ("videosdk.url", "http://127.0.0.1:9", "http://127.0.0.1:9"),
    ("videosdk.api_key", "a-key", "a-key"),
    ("videosdk.api_secret_file", "/run/credentials/x/secret", Path("/run/credentials/x/secret")),
    ("videosdk.auth_scheme", "raw", "raw"),
    ("videosdk.token_lives_s", "120", 120),
    ("videosdk.timeout_s", "0.5", 0.5),
    ("videosdk.ca_file", "/ca.pem", Path("/ca.pem")),
    ("storage.url", "sqlite:////a/b.db", "sqlite:////a/b.db"),
    ("storage.url", "postgresql://u:p@h:5432/d?sslmode=require", "postgresql://u:p@h:5432/d?sslmode=require"),
    ("storage.url", "'postgresql:///d?host=/run/postgresql'", "postgresql:///d?host=/run/postgresql"),
    ("storage.password_file", "/p", Path("/p")),
    ("storage.keep_days", "1", 1),
    ("devices.may_set", "[]", ()),
    ("devices.may_set", "[room_id, agent, region]", ("room_id", "agent", "region")),
    ("devices.sessions_per_minute", "600", 600),
    ("devices.burst", "1", 1),
    ("devices.make_rooms", "true", True),
    ("devices.at_once", "250", 250),
    ("proxy.trusted", "[127.0.0.1, 10.0.0.0/8, 'fd00::/8']", NETWORKS),
    ("operators.key_file", "null", None),
    ("log.level", "debug", "debug"),
]

REFUSED: list[tuple[str, str, str]] = [
    ("listen.address", "'8080'", "without a port; give HOST:PORT"),
    ("listen.address", "127.0.0.1:0", "its port must be a number from 1 to 65535"),
    (
        "listen.address",
        "0.0.0.0:80",
        "listens beyond this machine in the clear; give listen.tls, or listen on 127.0.0.1",
    ),
    ("listen.address", "'[::]:80'", "listens beyond this machine in the clear"),
    ("listen.address", "broker.example:80", "listens beyond this machine in the clear"),
    ("listen.tls", "{}", "listen.tls.cert_file: is missing; add it: an absolute path"),
    ("listen.tls", "{cert_file: c.pem, key_file: /k.pem}", "is 'c.pem'; give an absolute path"),
    ("listen.workers", "0", "is 0; give a whole number from 1 to 64 (processes)"),
    ("listen.threads", "3", "is 3; give a whole number from 4 to 256 (threads)"),
    ("videosdk.url", "http://api.example", "would send the token in the clear"),
    ("videosdk.url", "https://api.example/v2/", "has /v2 at the end of videosdk.url; leave that out"),
    ("videosdk.api_key", "null", "needs videosdk.api_key, with the secret in videosdk.api_secret_file; or"),
    ("videosdk.token_file", "/t", "has both videosdk.api_key and videosdk.token_file; leave only one of them"),
    ("videosdk.auth_scheme", "Bearer", "give one of bearer, raw; did you mean bearer?"),
    ("videosdk.token_lives_s", "119", "is 119; give a whole number from 120 to 86400 (seconds)"),
    ("videosdk.timeout_s", "0", "is 0; give a number above 0 and up to 60 (seconds)"),
    ("storage.url", "sqlite:///relative.db", "is no URL of a database that is known; give sqlite:////PATH or"),
    ("storage.url", "mysql://h/d", "is no URL of a database that is known"),
    ("storage.url", "'sqlite:////'", "is a URL that names no database; give sqlite:////PATH or"),
    ("storage.url", "'sqlite:////var/lib/'", "is a URL that names no database"),
    ("storage.url", "postgresql://u@h", "is a URL that names no database"),
    ("storage.url", "'postgresql://u:p4ss@h:port/d'", "is a URL that names no database"),
    ("storage.keep_days", "0", "is 0; give a whole number from 1 to 3650 (days)"),
    ("devices.may_set", "[name]", "is the text 'name'; give one of room_id, participant.id"),
    ("devices.may_set", "[agent, agent]", "agent"),
    ("devices.sessions_per_minute", "0", "is 0; give a whole number from 1 to 600 (sessions)"),
    ("devices.burst", "601", "is 601; give a whole number from 1 to 600 (sessions)"),
    ("devices.make_rooms", "1", "is the number 1; give true or false"),
    ("devices.at_once", "251", "is 251; give a whole number from 1 to 250 (sessions)"),
    ("proxy.trusted", "[10.0.0.1/8]", "is the text '10.0.0.1/8'; give an address or a network"),
    ("proxy.trusted", "[proxy.example]", "is the text 'proxy.example'; give an address or a network"),
    ("proxy.certificate_header", "X-Name", "has proxy.certificate_header, which nobody is believed"),
    ("log.level", "trace", "is the text 'trace'; give one of debug, info, warning, error"),
]


@pytest.mark.parametrize(("path", "value", "expected"), ACCEPTED)
def test_a_value_that_is_taken(tmp_path: Path, path: str, value: str, expected: object) -> None:
    assert shown(read(tmp_path, document(path, value)), path) == expected


@pytest.mark.parametrize(("path", "value", "words"), REFUSED)
def test_a_value_that_is_refused(tmp_path: Path, path: str, value: str, words: str) -> None:
    found = faults(tmp_path, document(path, value))
    assert words in found[0]
    assert "p4ss" not in "".join(found)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    text = "listen: {worker: 1}\nstorage: {keep_days: none}\nvideosdk: {api_key: k}\nmetrics: {}\n"
    found = faults(tmp_path, text)
    assert [fault.split(": ")[1] for fault in found] == ["listen.worker", "storage.keep_days", "metrics"]
    assert "did you mean workers?" in found[0] or "workers" in found[0]


def test_a_header_that_is_none(tmp_path: Path) -> None:
    text = KEY + "proxy: {trusted: [127.0.0.1], certificate_header: 'X Name'}\n"
    assert "no name of a header" in faults(tmp_path, text)[0]
    assert read(tmp_path, text.replace("X Name", "X-Name")).proxy.certificate_header == "X-Name"


def test_a_file_that_is_not_there_says_where_to_take_one_from(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, None)
    assert "/usr/share/doc/ingestd-broker/examples/broker.yaml" in fault


def test_a_file_of_conf_d_is_laid_over_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.yaml").write_text("listen: {threads: 8}\ndevices: {may_set: [agent]}\n")
    found = read(tmp_path, KEY + "listen: {workers: 2}\ndevices: {may_set: [region], burst: 3}\n")
    assert (found.listen.workers, found.listen.threads, found.devices.burst) == (2, 8, 3)
    assert found.devices.may_set == ("agent",)


def test_the_databases_password_is_never_shown(tmp_path: Path) -> None:
    assert "p4ss" not in repr(read(tmp_path, document("storage.url", "postgresql://u:p4ss@h/d")))
