"""The broker's package beside the daemon's on one booted Debian 13: set up by hand, killed, upgraded, removed, purged.

The daemon gets its session from it. One machine from its first day on: each test goes on where the one before it ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme

from tests.integration.package.broker_case import FOLDER, NAME, STATE, URL, Server
from tests.integration.package.upgrade_case import OLD_VERSION, packages
from tests.rig import deb
from tests.rig.booted_site import CA, CONFIG, HOST, ROOM, configuration, why_not
from tests.rig.figures import Figures
from tests.rig.process import wait_until

TIMER, PRUNE = f"{NAME}-prune.timer", f"{NAME}-prune"
DEVICE = "gate"
MOST_EXPOSED = 1.5
"""Of 10, which is what a service without any sandbox has: systemd-analyze(1)."""

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Booted, with the libraries of both and nothing of either; the room takes the tokens of its account alone."""
    if reason := why_not():
        pytest.skip(reason)
    with packages(deb.needs(NAME)) as both:
        both.site.room.configure(fixed_token="")
        server = Server(both)
        both.boot()
        yield server


def test_apt_installs_it_and_it_waits_to_be_set_up(server: Server) -> None:
    said = server.packages.install(server.old)
    assert f"{NAME}: it waits to be set up: see /usr/share/doc/{NAME}/README.Debian" in said.splitlines(), said
    for alert in ("rror", "arning", "egrading"):
        assert alert not in said, said
    assert server.done("test", "-f", f"/usr/share/doc/{NAME}/README.Debian") == ""
    assert (server.mode(FOLDER), server.mode(STATE)) == (f"750 root:{NAME}", f"700 {NAME}:{NAME}")
    found = server.machine.show(NAME, "ActiveState", "ConditionResult", "UnitFileState")
    assert found == {"ActiveState": "inactive", "ConditionResult": "no", "UnitFileState": "enabled"}
    timer = server.machine.show(TIMER, "ActiveState", "UnitFileState")
    assert timer == {"ActiveState": "active", "UnitFileState": "enabled"}
    server.machine.systemctl("start", PRUNE)
    assert server.machine.show(PRUNE, "ConditionResult", "Result") == {"ConditionResult": "no", "Result": "success"}
    assert server.machine.systemctl("list-units", "--failed", "--plain", "--no-legend") == ""


def test_somebody_sets_it_up_and_starts_it(server: Server) -> None:
    """As README.Debian tells it."""
    room = server.site.room
    broker = {"videosdk": {"url": f"https://{HOST}", "api_key": room.api_key, "ca_file": CA}}
    server.machine.write(f"{FOLDER}/broker.yaml", json.dumps(broker))
    refused = server.machine.run(NAME, "check")
    assert (refused.returncode, "api-secret" in refused.stderr + refused.stdout) == (1, True), refused
    for name, content in {"api-secret": room.api_secret, "operator-key": "a-key-of-operators"}.items():
        server.machine.write(f"{FOLDER}/{name}", f"{content}\n", 0o640)
        server.done("chgrp", NAME, f"{FOLDER}/{name}")
    server.done(NAME, "check")
    server.machine.systemctl("start", NAME)
    server.wait_answers()


def test_the_daemon_beside_it_gets_its_sessions_there(server: Server) -> None:
    """Each has modules of its own: they are of two versions."""
    key = server.done(NAME, "device", "add", DEVICE, "--room", ROOM).strip()
    server.packages.install(server.packages.new)
    settings = configuration() | {"backend": {"url": f"{URL}/v1/sessions", "ca_file": CA}, "session": {}}
    server.machine.write(CONFIG, json.dumps(settings))
    server.machine.write("/etc/ingestd/token", key, 0o640)
    server.done("chgrp", "ingestd", "/etc/ingestd/token")
    server.machine.systemctl("start", "ingestd")
    server.site.wait_state("streaming")
    server.site.fresh_frame_s()
    assert server.done("ingestd", "--version") == f"ingestd {server.packages.newest}\n"
    assert server.done(NAME, "--version") == f"{NAME} {OLD_VERSION}\n"
    assert server.devices() == [DEVICE]
    assert server.site.room.calls()[-1].call_id in server.done(NAME, "sessions", "--json")


@pytest.mark.undisturbed
def test_it_runs_as_its_user_in_the_sandbox(server: Server, figures: Figures) -> None:
    user, group = (server.done("id", flag, NAME).strip() for flag in ("-u", "-g"))
    for pid in (server.main_pid(), *server.workers()):
        lines = server.done("cat", f"/proc/{pid}/status").splitlines()
        status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
        assert status["Uid"].split() == [user] * 4 != ["0"] * 4
        assert status["Gid"].split() == [group] * 4
        assert (status["Seccomp"], status["NoNewPrivs"], status["Umask"]) == ("2", "1", "0077")
        assert {int(status[caps], 16) for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert server.mode(STATE) == f"700 {NAME}:{NAME}"
    owners = server.done("find", STATE, "-type", "f", "-printf", "%u:%g %m\n").split("\n")
    assert set(owners) - {""} == {f"{NAME}:{NAME} 600"}, "whoever made them: root ran commands"
    told = server.machine.run("systemd-analyze", "security", "--no-pager", NAME).stdout
    (exposure,) = re.findall(rf"{NAME}\.service: ([\d.]+)", told)
    assert figures.add("broker_security_exposure_booted", float(exposure), max=MOST_EXPOSED), told


def test_its_secrets_are_nobodys(server: Server) -> None:
    refused = server.machine.run("setpriv", "--reuid=65534", "--clear-groups", "cat", f"{FOLDER}/api-secret")
    assert "Permission denied" in refused.stderr
    everything = server.machine.run("journalctl", "--no-pager", "-o", "export").stdout
    key = server.site.get("/etc/ingestd/token")
    for secret in (server.site.room.api_secret, key, key.rpartition("_")[2], "ref=", "a-key-of-operators"):
        assert secret not in everything
    for pid in (server.main_pid(), *server.workers()):
        shown = server.done("cat", f"/proc/{pid}/cmdline", f"/proc/{pid}/environ")
        assert server.site.room.api_secret not in shown


@pytest.mark.parametrize("whom", ["worker", "master"])
def test_killed_it_is_back_and_serves_the_next_session(server: Server, whom: str) -> None:
    main, workers = server.main_pid(), server.workers()
    assert workers
    before = int(server.state()["NRestarts"])
    server.done("kill", "-KILL", *map(str, workers if whom == "worker" else [main]))
    wait_until(lambda: server.workers() and not server.workers() & workers, 30, "another worker", every=0.1)
    server.wait_answers()
    assert (server.main_pid() == main, int(server.state()["NRestarts"]) - before) == (
        whom == "worker",
        whom == "master",
    )
    served(server)


def served(server: Server) -> None:
    """The daemon leaves its room and gets another session."""
    server.site.hang_up()
    server.site.fresh_frame_s()
    call_id = server.site.room.calls()[-1].call_id  # of a later one than was waited for, it may be
    wait_until(lambda: call_id in server.done(NAME, "sessions", "--json"), 20, "the session in the list", every=0.1)


def test_a_reload_takes_another_configuration_and_keeps_the_process(server: Server) -> None:
    """Of requests it tells only where the level is debug."""
    main, before = server.main_pid(), server.state()

    def told(text: str) -> bool:
        assert server.answers()
        return text in server.machine.run("journalctl", "-u", NAME).stdout

    server.machine.write(f"{FOLDER}/conf.d/level.yaml", "log: {level: loud}\n")
    server.machine.systemctl("reload", NAME)
    wait_until(lambda: told("log.level"), 30, "the fault in the journal", every=0.1)
    assert not told("/healthz")
    server.machine.write(f"{FOLDER}/conf.d/level.yaml", "log: {level: debug}\n")
    server.machine.systemctl("reload", NAME)
    wait_until(lambda: told("GET /healthz"), 30, "a request in the journal", every=0.1)
    assert (server.main_pid(), server.state()) == (main, before)
    served(server)
    server.done("rm", f"{FOLDER}/conf.d/level.yaml")
    server.machine.systemctl("reload", NAME)


def test_the_prune_runs_in_its_sandbox(server: Server) -> None:
    server.machine.systemctl("start", PRUNE)
    assert server.machine.show(PRUNE, "ConditionResult", "Result") == {"ConditionResult": "yes", "Result": "success"}
    assert server.devices() == [DEVICE]


def test_with_a_drop_in_it_listens_on_port_443_itself(server: Server, tmp_path: Path) -> None:
    address = server.site.network.address
    ca = trustme.CA()
    certificate = ca.issue_cert(address)
    server.machine.write(f"{FOLDER}/cert.pem", certificate.cert_chain_pems[0].bytes().decode())
    server.machine.write(f"{FOLDER}/key.pem", certificate.private_key_pem.bytes().decode(), 0o640)
    server.done("chgrp", NAME, f"{FOLDER}/key.pem")
    tls = {name: f"{FOLDER}/{name.split('_')[0]}.pem" for name in ("cert_file", "key_file")}
    server.machine.write(f"{FOLDER}/conf.d/listen.yaml", json.dumps({"listen": {"address": "0.0.0.0:443", "tls": tls}}))
    drop_in = f"/etc/systemd/system/{NAME}.service.d"
    example = f"/usr/share/doc/{NAME}/examples/{NAME}.service.d/port443.conf.example"
    server.done("install", "-D", "-m", "644", example, f"{drop_in}/port443.conf")
    restart(server)
    trusted = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(trusted))

    def answered() -> bool:
        try:
            return requests.get(f"https://{address}/healthz", verify=str(trusted), timeout=5).ok
        except (requests.ConnectionError, requests.Timeout):
            return False

    wait_until(answered, 30, "an answer from port 443", every=0.1)
    assert server.state()["ActiveState"] == "active"
    server.done("rm", "-r", drop_in, f"{FOLDER}/conf.d/listen.yaml", f"{FOLDER}/cert.pem", f"{FOLDER}/key.pem")
    restart(server)
    server.wait_answers()


def restart(server: Server) -> None:
    """With what was changed beside the unit."""
    server.machine.systemctl("daemon-reload")
    server.machine.systemctl("restart", NAME)


def test_an_upgrade_restarts_what_ran_and_touches_nothing_else(server: Server) -> None:
    main, daemon, mine = server.main_pid(), server.machine.show("ingestd", "MainPID"), server.kept()
    server.packages.install(server.new)
    assert server.done(NAME, "--version") == f"{NAME} {server.packages.newest}\n"
    server.wait_answers()
    assert server.main_pid() not in (0, main)
    assert server.machine.show("ingestd", "MainPID") == daemon, "upgraded apart"
    assert {path: told for path, told in server.kept().items() if path.startswith(FOLDER)} == {
        path: told for path, told in mine.items() if path.startswith(FOLDER)
    }
    served(server)


def test_what_was_stopped_stays_stopped_over_an_upgrade(server: Server) -> None:
    said = len(server.machine.journal(NAME))
    server.machine.systemctl("stop", NAME)
    loud = [entry for entry in server.machine.journal(NAME)[said:] if int(entry["PRIORITY"]) < 6]
    assert (server.state()["Result"], loud) == ("success", [])
    server.packages.install("--reinstall", server.new)
    assert server.state()["ActiveState"] == "inactive"
    assert server.machine.show(TIMER, "ActiveState") == {"ActiveState": "active"}
    server.machine.systemctl("start", NAME)
    server.wait_answers()


def test_a_removed_package_comes_back_as_it_was_and_the_daemon_stays(server: Server) -> None:
    server.packages.apt("--yes", "remove", NAME)
    mine = server.kept()
    assert f"{FOLDER}/broker.yaml" in mine
    assert f"{STATE}/broker.db" in mine
    assert server.machine.run("pgrep", "-u", NAME).stdout == ""
    assert server.packages.active()["ingestd"] == "active"
    server.packages.install(server.new)
    server.wait_answers()
    assert server.devices() == [DEVICE]
    assert server.kept().keys() == mine.keys()
    server.site.wait_state("streaming", timeout_s=60)


def test_a_purge_of_both_leaves_nothing(server: Server) -> None:
    server.packages.apt("--yes", "purge", NAME)
    assert server.packages.active()["ingestd"] == "active"
    assert server.machine.run("getent", "passwd", NAME).stdout == ""
    server.packages.apt("--yes", "purge", "ingestd")
    assert server.packages.left() == []
