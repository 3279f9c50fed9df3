"""The order of the checks, their time, and how they are shown."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingestd.core.check import Check, Verdict, failed, from_json, ok, skipped, warning
from ingestd.doctor import report
from ingestd.doctor.run import all_checks, within
from ingestd.doctor.situation import Daemon, Wishes, look
from tests.unit.doctor_case import by_name, situation
from tests.unit.peers import GUARD_S

ALL = [ok("a", "well"), warning("b", "so so", "do this"), failed("c", "bad", "do that"), skipped("d", "no time")]


def test_what_hangs_is_named_and_left_behind() -> None:
    forever = threading.Event()

    def look_() -> Iterator[Check]:
        yield ok("first", "well")
        forever.wait()

    now_s = 100.0
    checks = within(GUARD_S, "disk", look_, lambda: now_s)
    assert next(checks).name == "first"
    now_s += GUARD_S
    (late,) = checks
    forever.set()
    assert late.name == "disk"
    assert late.verdict is Verdict.FAILED
    assert "hangs" in late.what


def test_a_bug_in_one_check_is_told_and_hides_no_other() -> None:
    def look_() -> Iterator[Check]:
        yield ok("first", "well")
        raise ZeroDivisionError("s3cret")

    checks = list(within(GUARD_S, "disk", look_))
    assert [check.name for check in checks] == ["first", "disk"]
    assert "ZeroDivisionError" in checks[1].what
    assert "s3cret" not in str(checks)


def test_without_a_configuration_the_rest_is_looked_at_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    found = by_name(all_checks(look(tmp_path / "none.yaml", tmp_path / "sock", Wishes(), unit=lambda: None)))
    assert [name for name, check in found.items() if check.verdict is Verdict.FAILED] == ["configuration"]
    assert found["DNS"].verdict is Verdict.SKIPPED
    assert found["state directory"].verdict is Verdict.OK


def test_an_outage_that_both_meet_is_counted_once(tmp_path: Path) -> None:
    daemon = Daemon({"state": "waiting"}, (failed("session", "not in the room", "call somebody"),))
    found = by_name(all_checks(replace(situation(tmp_path, "https://127.0.0.1:1/"), daemon=daemon)))
    assert [name for name, check in found.items() if check.verdict is Verdict.FAILED] == ["TCP"]
    assert found["session"] == warning("session", "not in the room", "see TCP above")


def test_what_only_the_daemon_lacks_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    lacking = failed("session", "not in the room", "call somebody")
    given = look(tmp_path / "none.yaml", tmp_path / "sock", Wishes(), unit=lambda: None)
    found = by_name(all_checks(replace(given, daemon=Daemon({"state": "waiting"}, (lacking,)))))
    assert found["session"] == lacking


def test_a_daemon_of_another_version_is_told(tmp_path: Path) -> None:
    given = replace(
        situation(tmp_path, "https://127.0.0.1:1/", audio={"capture": {"device": "hw:CARD=No"}}),
        daemon=Daemon({"state": "streaming"}),
        wishes=Wishes(tone=True),
    )
    found = by_name(all_checks(given))
    assert found["daemon"].verdict is Verdict.WARNING
    assert found["tone"].verdict is Verdict.SKIPPED
    assert "microphone" not in found, "the daemon has it"


def test_a_check_for_people_is_one_line_and_what_to_do() -> None:
    shown = [report.lines(check, colour=False, encoding="utf-8") for check in ALL]
    skip = "\N{EN DASH}"
    assert shown == ["✓ a: well", "! b: so so\n    → do this", "✗ c: bad\n    → do that", f"{skip} d: no time"]
    assert report.summary(ALL, encoding="utf-8") == f"1 failed {skip} 1 warning, 1 ok, 1 skipped"


def test_where_the_output_has_no_such_letters_it_is_ascii() -> None:
    for encoding in ("ascii", "latin-1"):
        shown = "".join(report.lines(check, colour=False, encoding=encoding) for check in ALL)
        assert shown.isascii(), shown
        assert "x c: bad\n    -> do that" in shown
    assert report.lines(ok("ü", "ö"), colour=False, encoding="ascii") == "+ ?: ?"
    assert report.summary(ALL[:2], encoding="ascii").startswith("nothing failed - ")


def test_a_strangers_text_is_one_printable_line() -> None:
    shown = report.lines(failed("a", "evil \x1b[2J\nline", "x\ny"), colour=False, encoding="utf-8")
    assert shown == "✗ a: evil ?[2J line\n    → x y"
    assert "\x1b[31m✗\x1b[0m a" in report.lines(failed("a", "b", ""), colour=True, encoding="utf-8")


def test_for_programs_it_is_json_that_comes_back() -> None:
    shown = json.loads(json.dumps(report.as_json(ALL)))
    assert shown["ok"] is False
    assert [from_json(one) for one in shown["checks"]] == ALL
    assert report.as_json(ALL[:2])["ok"] is True


@pytest.mark.parametrize("fields", [None, [], {}, {"name": "a", "status": "fine", "what": "", "remedy": ""}, "x"])
def test_what_is_no_check_is_refused(fields: object) -> None:
    with pytest.raises(ValueError, match=r"check|Verdict"):
        from_json(fields)
