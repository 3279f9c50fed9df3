"""The search for secrets finds what is there, in whatever disguise, wherever in a process."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig.process import end, spawn
from tests.rig.secret_search import SecretSearch

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJhcGlrZXkiOiJvbmx5LWEtdGVzdCJ9.KzPq0b3vXw_8Zt-4fW1yQ7nJmR5sLdHu"
PIECE_BYTES = 4 << 20
HOLDS = """
import mmap, sys
with open(sys.argv[1], "r+b") as file:
    held = mmap.mmap(file.fileno(), 0)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("how", "data"),
    [
        ("as it is", TOKEN.encode()),
        ("as it is", b"..." + TOKEN.rpartition(".")[2].encode()),
        ("in utf-16-le", TOKEN.encode("utf-16")),
        ("in utf-16-be", TOKEN.encode("utf-16-be")),
        ("in utf-32-le", TOKEN.encode("utf-32")),
        *(("in base64", base64.b64encode(b"x" * before + TOKEN.encode() + b"y" * 5)) for before in range(3)),
        ("in URL-safe base64", base64.urlsafe_b64encode(b"key: " + b"KzPq0b3vXw_8Zt~~~~???>>")),
    ],
)
def test_a_secret_is_found_in_disguise(how: str, data: bytes) -> None:
    search = SecretSearch([TOKEN, "KzPq0b3vXw_8Zt~~~~???>>"])
    assert f"here: {how}" in search.within(b"before" + data + b"after", "here")
    assert not SecretSearch(["this-one-is-nowhere-in-there"]).within(data, "here")


@pytest.mark.parametrize("at", [0, PIECE_BYTES - 20, 2 * PIECE_BYTES - 1, 3 * PIECE_BYTES - 2 * len(TOKEN)])
def test_a_secret_is_found_anywhere_in_a_process(tmp_path: Path, at: int) -> None:
    held = bytearray(3 * PIECE_BYTES)
    hidden = TOKEN.encode("utf-16-le")
    held[at : at + len(hidden)] = hidden
    (tmp_path / "held").write_bytes(held)
    # A process of a process: both are searched.
    command = ["sh", "-c", '"$0" -c "$1" "$2"; true', sys.executable, HOLDS, str(tmp_path / "held")]
    process = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        found = SecretSearch([TOKEN]).process(process.pid)
        nothing = SecretSearch(["this-one-is-nowhere-in-there"]).process(process.pid)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        end(process)
    places = [place for place in found.places if place.startswith("memory of ") and "/held at " in place]
    assert any(place.endswith(": in utf-16-le") for place in places)
    assert nothing.places == []
    assert nothing.memory_bytes > len(held)


def test_names_of_files_and_what_is_in_them_are_searched(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / TOKEN).touch()
    (tmp_path / "kept").write_text(f"token: {TOKEN}\n")
    places = SecretSearch([TOKEN]).files([tmp_path]).places
    assert any(place.startswith(f"the name of {tmp_path}/below/") for place in places)
    assert f"{tmp_path}/kept: as it is" in places
    with pytest.raises(FileNotFoundError):
        SecretSearch([TOKEN]).files([tmp_path / "not there"])
