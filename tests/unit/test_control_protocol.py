"""JSON-RPC 2.0, line by line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.control import protocol
from ingestd.control.protocol import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, RpcError, parse_request


def fault(line: bytes) -> tuple[int, Any]:
    """Code and id of the error that a line is."""
    with pytest.raises(RpcError) as raised:
        parse_request(line)
    return raised.value.code, raised.value.request_id


def request(**fields: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": "m", **fields}).encode()


def test_a_request_is_read() -> None:
    assert parse_request(request(params={"a": 1}, id=7)) == protocol.Request("m", {"a": 1}, 7)
    assert parse_request(request(id="x")) == protocol.Request("m", {}, "x")
    assert parse_request(request()) == protocol.Request("m", {}, None)
    assert parse_request(protocol.encode_request("m", {"a": "ä"}, 3)) == protocol.Request("m", {"a": "ä"}, 3)


@pytest.mark.parametrize(
    "line",
    [b"", b"hello", b"{", b"\xff", b"[" * 60_000, b'{"a":"' + b"[" * 60_000, b'{"id":' + b"9" * 5000 + b"}"],
    ids=lambda line: repr(line)[:20],
)
def test_what_is_no_json_is_a_parse_error(line: bytes) -> None:
    assert fault(line) == (PARSE_ERROR, None)


@pytest.mark.parametrize(
    ("line", "request_id"),
    [
        (b"[]", None),
        (b"7", None),
        (b"null", None),
        (b"{}", None),
        (b'{"jsonrpc":"2.0","id":4}', 4),
        (b'{"jsonrpc":"1.0","method":"m","id":4}', 4),
        (b'{"method":"m","id":"x"}', "x"),
        (b'{"jsonrpc":2.0,"method":"m"}', None),
        (b'{"jsonrpc":"2.0","method":7,"id":4}', 4),
        (b'{"jsonrpc":"2.0","method":"m","id":1.5}', None),
        (b'{"jsonrpc":"2.0","method":"m","id":true}', None),
        (b'{"jsonrpc":"2.0","method":"m","id":[1]}', None),
        (b'[{"jsonrpc":"2.0","method":"m","id":4}]', None),
    ],
)
def test_what_is_no_request_is_told_with_the_id_where_there_is_one(line: bytes, request_id: Any) -> None:
    assert fault(line) == (INVALID_REQUEST, request_id)


@pytest.mark.parametrize("params", [None, 7, "x", [1]])
def test_params_are_an_object(params: Any) -> None:
    assert fault(request(params=params, id=9)) == (INVALID_PARAMS, 9)


@given(st.binary(max_size=200))
def test_any_line_is_a_request_or_an_error(line: bytes) -> None:
    try:
        parse_request(line)
    except RpcError as error:
        answer = protocol.encode_error(error.request_id, error)
    else:
        return
    assert json.loads(answer)["error"]["code"] in (PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS)


@given(st.text(), st.integers() | st.text())
def test_whatever_is_said_is_one_line_of_json(text: str, request_id: int | str) -> None:
    for line in (
        protocol.encode_result(request_id, {"a": text + "\ud800\n"}),
        protocol.encode_error(request_id, RpcError(1, text + "\udfff\n")),
        protocol.encode_notification("m", {"a": text}),
        protocol.encode_request("m", {"a": text}, 1),
    ):
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        assert json.loads(line)["jsonrpc"] == "2.0"
