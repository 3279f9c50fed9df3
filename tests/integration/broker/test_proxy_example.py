"""The example of nginx in front: who comes by key, by certificate, and with a header of his own making."""

from __future__ import annotations

import datetime
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.rig.broker import BrokerProcess
from tests.rig.free_port import free_port
from tests.rig.process import end, spawn, wait_until
from tests.standin.client import StandIn

EXAMPLE = Path(__file__).resolve().parents[3] / "etc/nginx/ingestd-broker.conf"
FETCHED = Path(sys.executable).with_name("nginx")
NGINX = str(FETCHED) if FETCHED.exists() else shutil.which("nginx", path="/usr/sbin:/usr/bin")
HEADER = "X-Device-Name"
GATE = [(NameOID.ORGANIZATION_NAME, "Site"), (NameOID.COMMON_NAME, "gate")]
Subject = list[tuple[x509.ObjectIdentifier, str]]

pytestmark = pytest.mark.skipif(NGINX is None, reason="needs nginx, which scripts/setup takes out of Debian's package")


class Authority:
    """A CA whose certificates may be of any subject."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(self._signed(self._name, self._key, is_ca=True))

    def issue(self, subject: Subject, host: str | None = None) -> tuple[str, str]:
        """The files of a certificate and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(*one) for one in subject])
        number = len(list(self._directory.iterdir()))
        certificate, private = self._directory / f"{number}.crt", self._directory / f"{number}.key"
        certificate.write_bytes(self._signed(name, key, host=host))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return str(certificate), str(private)

    def _signed(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, is_ca: bool = False, host: str | None = None
    ) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        builder = (
            x509.CertificateBuilder(self._name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
        if host is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Front:
    """nginx with the example, before a broker that has the devices gate (by certificate too) and other."""

    def __init__(self, broker: BrokerProcess, devices: Authority, servers: Authority, port: int) -> None:
        self.broker = broker
        self.devices = devices
        self._servers = servers
        self._url = f"https://localhost:{port}/v1/sessions"
        self.gate_key = broker.add_device("gate", certificate_name="gate")
        self.other_key = broker.add_device("other", room_id="other-room", certificate_name="other")

    def ask(
        self,
        key: str | None = None,
        certificate: tuple[str, str] | None = None,
        body: bytes = b"{}",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> requests.Response:
        """Asks for a session."""
        with requests.Session() as http:
            http.trust_env = False
            http.headers.update(headers)
            if key is not None:
                http.headers["Authorization"] = f"Bearer {key}"
            return http.post(self._url, data=body, cert=certificate, verify=str(self._servers.file), timeout=30)

    def newest(self) -> str:
        """The device that the newest session is of."""
        shown = self.broker.command("sessions", "--limit", "1", "--json")
        return str(json.loads(shown.stdout)["device"])


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """All of it, running."""
    assert NGINX is not None
    directory = tmp_path_factory.mktemp("front")
    (directory / "certificates").mkdir()
    devices = Authority(directory / "certificates", "devices")
    servers = Authority(directory / "certificates", "servers")
    certificate, private = servers.issue([(NameOID.COMMON_NAME, "localhost")], host="localhost")
    proxy = {"trusted": ["127.0.0.1"], "certificate_header": HEADER}
    with StandIn() as standin, BrokerProcess(directory / "broker", standin, proxy=proxy) as broker:
        port = free_port()
        text = EXAMPLE.read_text()
        for old, new in {
            "127.0.0.1:8080": f"127.0.0.1:{broker.port}",
            "listen 443 ": f"listen 127.0.0.1:{port} ",
            "    listen [::]:443 ssl;\n": "",
            "server_name broker.example;": "server_name localhost;",
            "/etc/ssl/certs/broker.example.pem": certificate,
            "/etc/ssl/private/broker.example.key": private,
            "/etc/ssl/certs/devices-ca.pem": str(devices.file),
        }.items():
            assert old in text
            text = text.replace(old, new)
        whole = directory / "nginx.conf"
        temporary = "".join(
            f"{kind}_temp_path {directory}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        whole.write_text(
            f"daemon off;\nmaster_process off;\npid {directory}/pid;\nerror_log {directory}/error.log;\n"
            f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{text}}}\n"
        )
        process = spawn([NGINX, "-c", str(whole), "-e", str(directory / "error.log")])
        try:
            found = Front(broker, devices, servers, port)
            wait_until(lambda: answers(found), 30, "nginx")
            yield found
        finally:
            end(process, timeout=10)


def answers(front: Front) -> bool:
    """Whether nginx does."""
    try:
        return bool(front.ask().status_code)
    except requests.ConnectionError:
        return False


def test_a_device_comes_by_its_key(front: Front) -> None:
    assert front.ask(key=front.other_key).status_code == 200
    assert front.newest() == "other"


@pytest.mark.parametrize(
    "subject",
    [GATE, GATE[::-1], [(NameOID.COMMON_NAME, "gate"), (NameOID.EMAIL_ADDRESS, "it@site.example")]],
    ids=["last", "first", "before an address"],
)
def test_a_device_comes_by_its_certificate(front: Front, subject: Subject) -> None:
    answer = front.ask(certificate=front.devices.issue(subject))
    assert answer.status_code == 200, answer.text
    assert front.newest() == "gate"


def test_a_key_counts_before_a_certificate(front: Front) -> None:
    assert front.ask(key=front.other_key, certificate=front.devices.issue(GATE)).status_code == 200
    assert front.newest() == "other"


def test_without_either_nobody_comes(front: Front) -> None:
    assert front.ask().status_code == 401


@pytest.mark.parametrize("header", [HEADER, "x_device_name", "X-Device_Name"])
def test_a_forged_header_is_taken_away(front: Front, header: str) -> None:
    assert front.ask(headers={header: "gate"}).status_code == 401


def test_a_forged_header_beside_a_certificate_is_taken_away(front: Front) -> None:
    assert front.ask(certificate=front.devices.issue(GATE), headers={HEADER: "other"}).status_code == 200
    assert front.newest() == "gate"


@pytest.mark.parametrize(
    "subject",
    [
        [(NameOID.COMMON_NAME, "gate,x")],
        [(NameOID.COMMON_NAME, "gate x")],
        [(NameOID.ORGANIZATION_NAME, "x,CN=gate")],
        [(NameOID.ORGANIZATION_NAME, "CN=gate")],
        [(NameOID.ORGANIZATION_NAME, "x\\"), (NameOID.ORGANIZATION_NAME, "gate,CN=gate")],
        [(NameOID.COMMON_NAME, "x"), (NameOID.ORGANIZATION_NAME, "y,CN=gate")],
        [(NameOID.COMMON_NAME, "SUCCESS CN=gate")],
        [(NameOID.SURNAME, "gate")],
        [(NameOID.COMMON_NAME, "gate"), (NameOID.COMMON_NAME, "stranger")],
    ],
    ids=lambda subject: "+".join(text for _, text in subject),
)
def test_another_subject_is_not_taken_for_the_device(front: Front, subject: Subject) -> None:
    assert front.ask(certificate=front.devices.issue(subject)).status_code == 401


def test_a_certificate_of_another_ca_is_refused(front: Front, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").issue(GATE)
    assert front.ask(certificate=stranger).status_code == 400
    assert front.ask(certificate=stranger, key=front.gate_key).status_code == 400


def test_a_body_that_no_request_has_is_refused_at_the_door(front: Front) -> None:
    assert front.ask(key=front.gate_key, body=b" " * (257 * 1024)).status_code == 413
