"""The file for support: everything needed is in it, and no secret, wherever one is planted."""

from __future__ import annotations

import json
import os
import stat
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingestd.config.schema import SETTINGS
from ingestd.core.check import failed
from ingestd.doctor.bundle import write_bundle
from ingestd.doctor.configured import IN_PART, SHOWN, configured
from ingestd.doctor.situation import Daemon, Situation, Wishes, look
from tests.unit.doctor_case import jwt, situation

TOKEN = jwt(apikey="S3CRET-in-a-claim", exp=4e9)
PLAIN_TOKEN = "S3CRET.plain.token"
SECRETS = {
    "hmac": "S3CRET-hmac-of-a-hook",
    "proxy": "S3CRET-proxy-password",
    "environment": "S3CRET-of-the-environment",
    "ref": "S3CRET-ref-of-a-session",
    "query": "S3CRET-in-a-query",
    "metadata": "S3CRET-in-metadata",
    "argument": "S3CRET-argument",
    "unknown": "S3CRET-at-a-wrong-place",
    "bearer": "S3CRET-bearer",
    "agent": "S3CRET-for-an-agent",
    "path": "S3CRET-in-a-path",
}
ARGUMENTS = (
    *("--token", SECRETS["argument"], f"--password={SECRETS['argument']}", "-u", f"a:{SECRETS['argument']}"),
    *("-P", SECRETS["argument"], f"-p{SECRETS['argument']}", f"--user=a:{SECRETS['argument']}"),
    *("--oauth2-bearer", SECRETS["argument"], f"https://h.example/hook/{SECRETS['argument']}"),
    f"X-Api-Key: {SECRETS['argument']}",
)
"""A program is told its secrets by every convention there is."""


def unpacked(path: Path) -> dict[str, str]:
    with tarfile.open(path) as tar:
        return {member.name: _text(tar, member) for member in tar}


def _text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = tar.extractfile(member)
    assert file is not None
    return file.read().decode()


def planted(folder: Path, monkeypatch: pytest.MonkeyPatch, token: str = TOKEN) -> Situation:
    """A device with a secret wherever one may get to."""
    monkeypatch.setenv("https_proxy", f"http://me:{SECRETS['environment']}@proxy.example:3128")
    (folder / "hmac").write_text(SECRETS["hmac"])
    hook = {
        "topic": "RELAY",
        "exec": ["/bin/relay", *ARGUMENTS],
        "hmac_secret_file": str(folder / "hmac"),
    }
    metadata = {"site": "gate 3", "psk": SECRETS["metadata"], "door": {"pin": [SECRETS["metadata"]]}}
    agent = {"id": "a", "metadata": {"voice": SECRETS["agent"]}, "passedOn": {"any": SECRETS["agent"]}}
    given = situation(
        folder,
        f"https://backend.example/{SECRETS['path']}/sessions?key={SECRETS['query']}",
        token=token,
        backend={"proxy": f"http://me:{SECRETS['proxy']}@proxy.example:3128"},
        session={"room_id": "abcd", "participant": {"metadata": metadata}, "agent": agent},
        hooks=[hook],
    )
    programs = folder / "bin"
    programs.mkdir()
    said = (
        f"wss://ingest.example/x?ref={SECRETS['ref']} refused",
        f"Authorization: Bearer {SECRETS['bearer']}",
        f"a hook said {SECRETS['hmac']}",
        f"the token is {token}",
        f"the proxy http://me:{SECRETS['proxy']}@proxy.example said 407",
        f"token={SECRETS['argument']}",
        f"{SECRETS['environment']} of the environment",
        f"relay ended: it said {SECRETS['argument']} twice, and {SECRETS['metadata']}",
        f"POST /{SECRETS['path']}/sessions",
        "streaming: connected",
    )
    journal = programs / "journalctl"
    journal.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(said) + "\nEND\n")
    journal.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    status = {"state": "waiting", "reason": said[0], "faults": [{"what": line} for line in said]}
    return replace(given, daemon=Daemon(status))


def leaks(contents: dict[str, str], token: str) -> list[tuple[str, str]]:
    names = [*SECRETS.values(), token, "S3CRET"]
    return [(name, secret) for name, text in contents.items() for secret in names if secret in text]


@pytest.mark.parametrize("token", [TOKEN, PLAIN_TOKEN], ids=["jwt", "plain"])
def test_no_secret_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    given = planted(tmp_path, monkeypatch, token)
    path = tmp_path / "support.tar.gz"
    write_bundle(path, given, [failed("backend", f"the backend said {token}, ref={SECRETS['ref']}", "mend it")])
    contents = unpacked(path)
    assert leaks(contents, token) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_support_needs_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = planted(tmp_path, monkeypatch)
    path = tmp_path / "support.tar.gz"
    write_bundle(path, given, [failed("backend", "it said no", "mend it")])
    contents = {name.removeprefix("ingestd-support/"): text for name, text in unpacked(path).items()}

    def values(name: str) -> Any:
        return json.loads(contents[name])

    assert values("doctor.json")["checks"][0]["what"] == "it said no"
    assert values("status.json")["state"] == "waiting"
    assert values("versions.json")["ingestd"]
    assert values("versions.json")["libraries"]["websocket-client"]
    assert "Linux" in values("versions.json")["kernel"]
    read = values("configuration.json")[str(given.path)]["values"]
    hidden = {"site": "<removed>", "psk": "<removed>", "door": "<removed>"}
    assert read["session"]["participant"]["metadata"] == hidden
    assert read["session"]["agent"] == {"id": "a", "metadata": {"voice": "<removed>"}, "passedOn": "<removed>"}
    assert read["session"]["room_id"] == "abcd"
    assert read["backend"]["proxy"] == "http://proxy.example:3128"
    assert read["backend"]["token_file"] == str(tmp_path / "token")
    assert read["backend"]["url"] == "https://backend.example/<removed>?<removed>"
    assert read["hooks"][0]["exec"] == ["/bin/relay", f"<arguments removed: {len(ARGUMENTS)}>"]
    assert "streaming: connected" in contents["journal.txt"]
    assert "files/proc/version" in contents


def test_of_a_configuration_with_faults_only_known_keys_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    drop_ins = tmp_path / "conf.d"
    drop_ins.mkdir()
    (drop_ins / "a.yaml").write_text("log: {level: debug}\n")
    (drop_ins / "b.yaml").write_text(f"password: [{SECRETS['unknown']}\n")
    path = tmp_path / "ingestd.yaml"
    path.write_text(f"backend: {{url: https://h.example/, tokn: {SECRETS['unknown']}}}\n{SECRETS['unknown']}x: 1\n")
    given = look(path, tmp_path / "sock", Wishes(), unit=lambda: None)
    write_bundle(tmp_path / "b.tar.gz", given, [])
    contents = unpacked(tmp_path / "b.tar.gz")
    files = json.loads(contents["ingestd-support/configuration.json"])
    assert files[str(path)]["values"]["backend"] == {"url": "https://h.example/", "tokn": "<removed>"}
    assert files[str(drop_ins / "a.yaml")]["values"] == {"log": {"level": "debug"}}
    assert files[str(drop_ins / "b.yaml")]["values"] is None
    assert SECRETS["unknown"] not in str(files[str(path)]["values"]["backend"])
    assert SECRETS["unknown"] not in str(files[str(drop_ins / "b.yaml")])


def read_as(folder: Path, text: str) -> Any:
    """A configuration as it would be shown."""
    path = folder / "ingestd.yaml"
    path.write_text(text)
    return configured(path).shown[str(path)]["values"]


@pytest.mark.parametrize(
    "text",
    [
        "backend: {token_file: S3CRET}",
        "backend: {auth_scheme: S3CRET}",
        "backend: {ca_file: [S3CRET]}",
        "backend: {client_cert: S3CRET}",
        "backend: S3CRET",
        "backend: {url: 's3cret.example:S3CRET@h'}",
        "backend: {url: 'https://me:S3CRET@h.example/'}",
        "backend: {proxy: 'me:S3CRET@h.example:3128'}",
        "backend: {proxy: 'http://h.example/S3CRET#S3CRET'}",
        "hooks: [{exec: curl -u me:S3CRET}]",
        "hooks: [{exec: [S3CRET, S3CRET]}]",
        "hooks: [{hmac_secret_file: S3CRET}]",
        "hooks: [{allow_senders: {a: S3CRET}}]",
        "hooks: [S3CRET]",
        "session: {participant: {metadata: S3CRET}}",
        "session: {agent: {id: x, key: {deep: [S3CRET]}}}",
        "log: {level: S3CRET}",
        "metrics: {listen: S3CRET}",
        "nobody: {knows: S3CRET}",
        "S3CRET",
    ],
)
def test_what_stands_where_it_does_not_belong_is_hidden(tmp_path: Path, text: str) -> None:
    assert "S3CRET" not in json.dumps(read_as(tmp_path, text + "\n"))


def test_a_configuration_keeps_all_that_is_harmless(tmp_path: Path) -> None:
    text = """
backend: {url: "https://api.videosdk.live/v2/ingest/sessions", token_file: /etc/ingestd/token, auth_scheme: raw}
audio: {capture: {device: "plughw:CARD=Mic", channel: 2, gain_db: -3.5, mixer: {control: Mic, level_percent: null}}}
messaging: {subscribe: [CHAT, DOOR]}
hooks: [{state: alone, exec: [/bin/true], timeout_s: 5}]
metrics: {listen: "127.0.0.1:9465"}
"""
    expected = yaml.safe_load(text)
    expected["hooks"][0]["exec"].append("<arguments removed: 0>")
    assert read_as(tmp_path, text) == expected


def test_of_every_key_somebody_has_thought() -> None:
    paths = {setting.path for setting in SETTINGS}
    leaves = {path for path in paths if not any(other.startswith((f"{path}.", f"{path}[].")) for other in paths)}
    assert leaves == SHOWN | IN_PART
    assert not SHOWN & IN_PART


def test_secrets_of_a_configuration_that_can_not_be_used_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    (tmp_path / "token").write_text("hidden~of~a~file")
    path = tmp_path / "ingestd.yaml"
    path.write_text(f"backend: {{token_file: {tmp_path}/token, tokn: 1}}\n")
    given = look(path, tmp_path / "sock", Wishes(), unit=lambda: None)
    write_bundle(tmp_path / "b.tar.gz", given, [failed("x", "hidden~of~a~file", "")])
    assert "hidden~of~a~file" not in "".join(unpacked(tmp_path / "b.tar.gz").values())


def test_the_processes_of_a_service_are_not_listed_with_their_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemctl = tmp_path / "systemctl"
    tree = "[ $1 = status ] && echo 'CGroup: 12 /bin/relay -pS3CRET'"
    systemctl.write_text(f"#!/bin/sh\n{tree}\necho ActiveState=active\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    write_bundle(tmp_path / "b.tar.gz", situation(tmp_path), [])
    assert unpacked(tmp_path / "b.tar.gz")["ingestd-support/systemctl.txt"] == "ActiveState=active\n"


def test_nothing_is_overwritten_and_no_link_is_followed(tmp_path: Path) -> None:
    given = situation(tmp_path)
    kept = tmp_path / "kept"
    kept.write_text("precious")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    for path in (kept, link):
        with pytest.raises(FileExistsError):
            write_bundle(path, given, [])
    assert kept.read_text() == "precious"
    assert not (tmp_path / "elsewhere").exists()
