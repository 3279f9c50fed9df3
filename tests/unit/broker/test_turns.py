"""Requests take turns until their sender is known, and none waits for long."""

from __future__ import annotations

import threading

import pytest
from flask import Flask, g

from ingestd.broker.web.turns import Turns, known


class Site:
    """An application of which one request can be held up."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.app = Flask("test")
        Turns(self.app)

        @self.app.get("/held")
        def held() -> str:
            self.entered.set()
            assert self.go_on.wait(10)
            return "done"

        @self.app.get("/held-but-known")
        def held_but_known() -> str:
            known()
            return held()

        @self.app.get("/known-twice")
        def known_twice() -> str:
            known()
            known()
            return "done"

        @self.app.get("/failing")
        def failing() -> str:
            raise ValueError("no")

        @self.app.get("/")
        def other() -> str:
            return "in turn" if "turn" in g else "out of turn"

    def ask(self, path: str = "/") -> str:
        return self.app.test_client().get(path).text

    def beside(self, path: str) -> str:
        """What another request is told while one of `path` is held up."""
        thread = threading.Thread(target=self.ask, args=(path,))
        thread.start()
        assert self.entered.wait(10)
        try:
            return self.ask()
        finally:
            self.go_on.set()
            thread.join()


def test_a_request_beside_one_whose_sender_is_not_known_waits_and_then_goes_on_all_the_same() -> None:
    site = Site()
    assert site.beside("/held") == "out of turn"
    assert site.ask() == "in turn", "which was given back"


def test_a_request_whose_sender_is_known_keeps_nobody_waiting() -> None:
    assert Site().beside("/held-but-known") == "in turn"


@pytest.mark.parametrize("path", ["/", "/known-twice", "/failing", "/nowhere"])
def test_a_turn_is_given_back_however_a_request_ends(path: str) -> None:
    site = Site()
    for _ in range(3):
        site.ask(path)
        assert site.ask() == "in turn"


def test_who_goes_on_out_of_turn_gives_none_back() -> None:
    site = Site()
    thread = threading.Thread(target=site.ask, args=("/held",))
    thread.start()
    assert site.entered.wait(10)
    assert [site.ask() for _ in range(3)] == ["out of turn"] * 3
    site.go_on.set()
    thread.join()
    assert site.ask() == "in turn"
