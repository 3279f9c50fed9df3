"""Certificates from files: what they trust, which file is at fault, and that a renewed one is taken."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from ingestd.errors import BackendError, BackendFault
from ingestd.net.tls_files import TlsFiles


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(tmp_path: Path, ca: trustme.CA) -> Path:
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def own(tmp_path: Path, ca: trustme.CA) -> tuple[Path, Path]:
    return issue(tmp_path, ca)


def issue(folder: Path, ca: trustme.CA) -> tuple[Path, Path]:
    leaf = ca.issue_cert("device.example")
    cert, key = folder / "cert.pem", folder / "key.pem"
    leaf.cert_chain_pems[0].write_to_path(str(cert))
    leaf.private_key_pem.write_to_path(str(key))
    return cert, key


def fault(files: TlsFiles) -> str:
    with pytest.raises(BackendError) as checked:
        files.check()
    with pytest.raises(BackendError) as raised:
        files.context()
    assert str(checked.value) == str(raised.value)
    assert raised.value.fault is BackendFault.TLS
    return str(raised.value)


def authorities(files: TlsFiles) -> int:
    return len(files.context().get_ca_certs())


def nonsense(path: Path) -> None:
    path.write_text("-----BEGIN CERTIFICATE-----\nnope\n-----END CERTIFICATE-----\n")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


SPOILT: list[Callable[[Path], object]] = [Path.unlink, nonsense, a_folder, a_fifo, lambda path: path.write_bytes(b"")]


def test_verification_is_always_on() -> None:
    context = TlsFiles().context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_the_systems_authorities_stay_trusted(ca_file: Path) -> None:
    assert authorities(TlsFiles(ca_file)) == authorities(TlsFiles()) + 1


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_ca_file_that_cannot_be_loaded_is_named(spoil: Callable[[Path], object], ca_file: Path) -> None:
    spoil(ca_file)
    assert f"can't load backend.ca_file ({ca_file}): " in fault(TlsFiles(ca_file))


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("spoil", SPOILT)
def test_a_client_certificate_that_cannot_be_loaded_is_named(
    spoil: Callable[[Path], object], which: int, own: tuple[Path, Path]
) -> None:
    spoil(own[which])
    told = fault(TlsFiles(None, own))
    assert "can't load backend.client_cert" in told
    assert str(own[which]) in told


def test_a_key_that_wants_a_password_is_a_fault_and_asks_nobody(own: tuple[Path, Path]) -> None:
    own[1].write_text(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBCiRGmpQFyxHA4/YKAT\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    assert "can't load backend.client_cert (" in fault(TlsFiles(None, own))


def test_good_files_are_found_good(ca_file: Path, own: tuple[Path, Path]) -> None:
    TlsFiles(ca_file, own).check()
    TlsFiles().check()


def test_files_that_stay_as_they_are_are_loaded_once(ca_file: Path, own: tuple[Path, Path]) -> None:
    files = TlsFiles(ca_file, own)
    assert files.context() is files.context()


def test_a_file_that_comes_later_is_taken(ca_file: Path) -> None:
    content = ca_file.read_bytes()
    ca_file.write_bytes(b"")
    files = TlsFiles(ca_file)
    fault(files)
    ca_file.write_bytes(content)
    assert authorities(files) == authorities(TlsFiles()) + 1


def test_an_authority_that_was_renewed_is_taken_and_the_old_one_no_longer(ca_file: Path, ca: trustme.CA) -> None:
    files = TlsFiles(ca_file)
    old = files.context().get_ca_certs(binary_form=True)
    trustme.CA().cert_pem.write_to_path(str(ca_file))
    new = files.context().get_ca_certs(binary_form=True)
    assert len(new) == len(old)
    assert set(new) != set(old)


def test_a_client_certificate_that_was_renewed_is_taken(own: tuple[Path, Path], ca: trustme.CA) -> None:
    files = TlsFiles(None, own)
    old = files.context()
    issue(own[0].parent, ca)
    assert files.context() is not old


def test_a_file_that_went_away_is_a_fault_also_after_a_good_one(ca_file: Path) -> None:
    files = TlsFiles(ca_file)
    files.context()
    ca_file.unlink()
    assert "No such file" in fault(files)


def shakes_hands(context: ssl.SSLContext, ca: trustme.CA) -> bool:
    """Whether a server that `ca` vouches for is trusted."""
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("broker.example").configure_cert(server_tls)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(down, up, server_hostname="broker.example")
    server = server_tls.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError:
                return False
    return client.version() is not None


@dataclass(frozen=True)
class System:
    """Where a system has its authorities: all in one file, and one by one in a folder, found there by their hashes."""

    file: Path
    folder: Path

    def in_file(self, *cas: trustme.CA) -> None:
        for one in cas:
            one.cert_pem.write_to_path(str(self.file), append=True)

    def in_folder(self, *cas: trustme.CA) -> None:
        for number, one in enumerate(cas):
            one.cert_pem.write_to_path(str(self.folder / f"{number}.pem"))
        subprocess.run(["openssl", "rehash", str(self.folder)], check=True)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    system = System(tmp_path / "system.pem", tmp_path / "certs")
    system.folder.mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(system.file))
    monkeypatch.setenv("SSL_CERT_DIR", str(system.folder))
    return system


def test_a_file_that_the_environment_names_is_trusted_beside_a_folder_that_holds_more(system: System) -> None:
    corp, *debians = (trustme.CA() for _ in range(3))
    system.in_file(corp)
    system.in_folder(*debians)
    assert [shakes_hands(TlsFiles().context(), one) for one in (corp, *debians)] == [True, True, True]


def test_one_appended_to_the_systems_file_is_trusted_where_the_folder_has_another_instead(system: System) -> None:
    debians, snakeoil, appended = [trustme.CA(), trustme.CA()], trustme.CA(), trustme.CA()
    system.in_file(*debians, appended)
    system.in_folder(*debians, snakeoil)
    assert all(shakes_hands(TlsFiles().context(), one) for one in (*debians, snakeoil, appended))
    assert not shakes_hands(TlsFiles().context(), trustme.CA())


def test_two_authorities_of_one_name_are_both_trusted(system: System, ca_file: Path) -> None:
    # OpenSSL looks into the folder only for a name that it has not loaded yet.
    old, new = (trustme.CA(organization_name="Corp", organization_unit_name="CA") for _ in range(2))
    system.in_file(old)
    system.in_folder(old)
    new.cert_pem.write_to_path(str(ca_file))
    assert [shakes_hands(TlsFiles(ca_file).context(), one) for one in (old, new)] == [True, True]


def test_the_systems_authorities_are_taken_anew_too(system: System) -> None:
    files = TlsFiles()
    assert authorities(files) == 0
    system.in_file(trustme.CA())
    assert authorities(files) == 1
