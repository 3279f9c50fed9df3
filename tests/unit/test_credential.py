"""A token that is a credential of systemd's: it is known by its path, and no text sends anybody to write it there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ingestd.__main__ import main
from ingestd.config import read_token
from ingestd.core.credential import is_credential, renewing
from ingestd.core.remedies import MAX_ADVICE_CHARS, Where, advice
from ingestd.doctor import jwt as dates
from ingestd.errors import BackendError, BackendFault, ConfigError
from tests.unit.doctor_case import jwt

REPO = Path(__file__).resolve().parents[2]
PATH = Path("/run/credentials/ingestd.service/ingestd.token")
EXAMPLE = REPO / "systemd/ingestd.service.d/credential.conf.example"
TOKEN_FAULTS = (BackendFault.UNAUTHORIZED, BackendFault.FORBIDDEN, BackendFault.TOKEN)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (str(PATH), True),
        ("/run/credentials/token", True),
        ("/run/credentials", False),
        ("/run/credentials.d/token", False),
        ("/etc/ingestd/token", False),
        ("run/credentials/token", False),
    ],
)
def test_it_is_known_by_its_path(path: str, found: bool) -> None:
    assert is_credential(Path(path)) is found


def test_it_is_renewed_as_the_example_says() -> None:
    documented = re.findall(r"^#     (.+)$", EXAMPLE.read_text(), re.MULTILINE)
    assert [line for line in renewing(PATH) if line not in documented] == []


@pytest.mark.parametrize("page", ["etc/man/ingestd.8", "debian/README.Debian"])
def test_the_documents_name_the_example_s_paths(page: str) -> None:
    text, example = (REPO / page).read_text(), EXAMPLE.read_text()
    (handed,) = set(re.findall(r"/run/credentials/[\w./]*\w", example))
    (encrypted,) = set(re.findall(r"/etc/credstore\.encrypted/[\w./]*\w", example))
    assert handed == str(PATH)
    assert set(re.findall(r"/run/credentials/[\w./]*\w", text)) == {handed}
    assert set(re.findall(r"/etc/credstore\.encrypted/[\w./]*\w", text)) <= {encrypted}


@pytest.mark.parametrize("fault", TOKEN_FAULTS)
def test_what_helps_is_to_encrypt_and_to_restart(fault: BackendFault) -> None:
    where = Where(str(PATH), "host", "https://host", "room", "/etc/ingestd/ingestd.yaml")
    found = advice(BackendError(fault, "x"), where)
    assert len(found.remedy) <= MAX_ADVICE_CHARS
    assert "ncrypt" in found.remedy
    assert "`systemctl restart ingestd`" in found.remedy
    for wrong in ("there", "at once"):
        assert wrong not in found.remedy


def test_the_doctor_says_so_of_one_that_has_expired() -> None:
    remedy = dates.judged(jwt(exp=1000.0), 2000.0, PATH).remedy
    assert "systemctl restart ingestd" in remedy
    assert "at once" not in remedy


def test_one_that_is_missing_is_not_to_be_created() -> None:
    with pytest.raises(ConfigError) as caught:
        read_token(Path("/run/credentials/never-started.service/ingestd.token"))
    (fault,) = caught.value.faults
    assert "while the service runs" in fault
    assert "create it" not in fault


def test_while_the_service_is_stopped_its_absence_is_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "ingestd.yaml"
    token_file = "/run/credentials/never-started.service/ingestd.token"
    config.write_text(f"backend: {{url: 'https://host/', token_file: {token_file}}}\nsession: {{room_id: a}}\n")
    assert main(["--check", "--config", str(config)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "while the service runs" in said.out


def test_one_that_is_no_token_is_to_be_encrypted_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestd.core.credential._FOLDER", tmp_path)
    path = tmp_path / "ingestd.token"
    path.write_text("two\nlines\n")
    with pytest.raises(ConfigError) as caught:
        read_token(path)
    (fault,) = caught.value.faults
    assert "more than one line; encrypt" in fault
