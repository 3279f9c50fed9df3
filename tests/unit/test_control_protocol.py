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
    assert parse_request(request(id=-(2**63) + 1)).id == -(2**63) + 1
    assert parse_request(request()) == protocol.Request("m", {}, None, is_notification=True)
    assert parse_request(request(id=None)) == protocol.Request("m", {}, None), "is answered, with just that id"
    assert parse_request(protocol.encode_request("m", {"a": "ä"}, 3)) == protocol.Request("m", {"a": "ä"}, 3)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b'{"a":"' + b"[" * 60_000,
        b'{"id":' + b"9" * 5000 + b"}",
        b'{"jsonrpc":"2.0","method":"m","params":{"a":NaN},"id":1}',
        b'{"jsonrpc":"2.0","method":"m","params":{"a":-Infinity},"id":1}',
        b'{"jsonrpc":"2.0","method":"m","params":{"a":1e999},"id":1}',
        b'{"jsonrpc":"2.0","method":"m","id":1,"id":2}',
        b'{"jsonrpc":"2.0","method":"m","params":{"a":{"b":1,"b":1}},"id":1}',
    ],
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
        (b'{"jsonrpc":"2.0","method":"m","id":"' + b"i" * 129 + b'"}', None),
        (b'{"jsonrpc":"2.0","method":"m","id":9223372036854775808}', None),
        (b'{"jsonrpc":"2.0","result":1,"id":4}', 4),
        (b'[{"jsonrpc":"2.0","method":"m","id":4}]', None),
    ],
)
def test_what_is_no_request_is_told_with_the_id_where_there_is_one(line: bytes, request_id: Any) -> None:
    assert fault(line) == (INVALID_REQUEST, request_id)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"[" * 60_000, "nested too deeply"),
        (b"[1,]", "Expecting value at character 4"),
        (b'"\xff"', "no UTF-8 at byte 2"),
        (b"9" * 5000, "a number is too large"),
        (b"1e999", "a number is too large"),
        (b"NaN", "NaN is no number there"),
        (b'{"a":1,"a":1}', "a key is there twice"),
        (b"[]", "batches are not served; send one request a line"),
        (b'[{"jsonrpc":"2.0","method":"m","id":4}]', "batches are not served"),
        (b'{"jsonrpc":"2.0","method":"m","params":[1]}', "by name, not by position"),
        (b'{"jsonrpc":"2.0","method":"m","id":0.5}', "a whole number"),
    ],
)
def test_what_is_wrong_is_said(line: bytes, said: str) -> None:
    with pytest.raises(RpcError, match=said):
        parse_request(line)


@pytest.mark.parametrize("params", [None, 7, "x", [1]])
def test_params_are_an_object(params: Any) -> None:
    assert fault(request(params=params, id=9)) == (INVALID_PARAMS, 9)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON,
        "method": st.text() | JSON,
        "params": st.dictionaries(st.text(), JSON, max_size=4) | JSON,
        "id": st.integers() | st.text() | JSON,
        "more": JSON,
    },
)


def check(line: bytes) -> None:
    """It is a request, with all that a request has, or an error that can be sent."""
    try:
        read = parse_request(line)
    except RpcError as error:
        answer = protocol.encode_error(error.request_id, error)
        assert json.loads(answer)["error"]["code"] in (PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS)
        assert set(json.loads(answer)["error"]) == {"code", "message"}
        return
    fields = json.loads(line)
    assert (read.method, read.params) == (fields["method"], fields.get("params", {}))
    assert (read.id, read.is_notification) == (fields.get("id"), "id" not in fields)
    assert json.loads(protocol.encode_result(read.id, 1)) == {"jsonrpc": "2.0", "result": 1, "id": read.id}


@given(st.binary(max_size=200))
def test_any_line_is_a_request_or_an_error(line: bytes) -> None:
    check(line)


@given(FIELDS | JSON)
def test_any_json_is_a_request_or_an_error(value: Any) -> None:
    check(json.dumps(value).encode())


@given(FIELDS, st.data())
def test_any_broken_json_is_a_request_or_an_error(value: Any, data: st.DataObject) -> None:
    line = bytearray(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(line) - 1))
        line[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        if not line:
            return
    check(bytes(line))


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
