"""Asking the supervisor from another thread: answered, refused, or told that it is too late."""

from __future__ import annotations

import threading
import time

import pytest

from ingestd.errors import NotNow
from ingestd.threads.asking import ask
from ingestd.threads.mailbox import Asked, Mailbox, Request


def test_the_answer_comes_back() -> None:
    mailbox = Mailbox()

    def supervise() -> None:
        while True:
            for mail in mailbox.take_all():
                assert isinstance(mail, Asked)
                mail.answer(f"{mail.request.value} of {mail.ws_url}")
                return
            time.sleep(0.001)

    thread = threading.Thread(target=supervise)
    thread.start()
    assert ask(mailbox, Request.CALL, "wss://x") == "call of wss://x"
    thread.join()


def test_a_refusal_is_raised() -> None:
    mailbox = Mailbox()

    def refuse(mail: object) -> None:
        assert isinstance(mail, Asked)
        mail.answer(NotNow("hang up first"))

    mailbox.post = refuse  # type: ignore[method-assign] # answers at once
    with pytest.raises(NotNow, match="hang up first"):
        ask(mailbox, Request.CALL)


def test_nobody_waits_for_a_supervisor_that_has_ended() -> None:
    mailbox = Mailbox()
    threading.Timer(0.05, mailbox.shut).start()
    with pytest.raises(NotNow, match="way out"):
        ask(mailbox, Request.RELOAD)


def test_a_session_is_not_shown_by_what_was_asked() -> None:
    assert "SECRET" not in repr(Asked(Request.CALL, lambda _answer: None, "wss://x?ref=SECRET"))
