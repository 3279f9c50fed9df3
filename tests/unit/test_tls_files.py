"""Certificates from files: what they trust, which file is at fault, and that a renewed one is taken."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
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
    with pytest.raises(BackendError) as raised:
        files.context()
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


def test_the_systems_authorities_are_taken_anew_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = tmp_path / "system.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    files = TlsFiles()
    assert authorities(files) == 0
    trustme.CA().cert_pem.write_to_path(str(system))
    assert authorities(files) == 1
