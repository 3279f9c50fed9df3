"""The description has what there is: every path, every method, and examples that are what they say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import pytest

from ingestd.broker.bodies import asked_in
from ingestd.broker.device_fields import check_name
from ingestd.broker.errors import BrokerError, Refused
from ingestd.broker.openapi import DESCRIPTION, NAME_PATTERN
from tests.unit.broker.site import Site

PATHS = DESCRIPTION["paths"]
REQUEST = DESCRIPTION["components"]["schemas"]["SessionRequest"]


def test_it_has_the_paths_and_methods_that_the_application_has(site: Site) -> None:
    served = {
        (rule.rule, method.lower())
        for rule in site.app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }
    assert served == {(path, method) for path, methods in PATHS.items() for method in methods}


def test_it_is_served_as_it_is(site: Site) -> None:
    answer = site.client.get("/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.get_json() == json.loads(json.dumps(DESCRIPTION))


def contents(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every body that has an example."""
    if isinstance(value, dict):
        if "schema" in value and "example" in value:
            yield value
        for part in value.values():
            yield from contents(part)


def test_its_examples_are_what_it_says() -> None:
    found = list(contents(PATHS))
    assert len(found) > 10
    for content in found:
        schema = {**content["schema"], "components": DESCRIPTION["components"]}
        jsonschema_rs.Draft202012Validator(schema).validate(content["example"])


@pytest.mark.parametrize(
    "blank", ["", " ", "\t\n", "\u00a0", "\u2003\u3000", "\x1c\x1f\x85", "x", " x ", "\ufeff", "\u200b"]
)
def test_a_text_is_as_blank_as_the_broker_finds_it(blank: str) -> None:
    body = {"region": blank}
    described = jsonschema_rs.Draft202012Validator(REQUEST).is_valid(body)
    try:
        asked_in(json.dumps(body).encode())
    except Refused:
        assert not described
    else:
        assert described


@pytest.mark.parametrize("name", ["a", "A-z_0.9", "x" * 128, "", "x" * 129, "a b", "ä", "a\n", "a/b", "१"])
def test_a_name_is_what_the_registry_takes_for_one(name: str) -> None:
    described = re.fullmatch(NAME_PATTERN, name) is not None
    try:
        check_name(name)
    except BrokerError:
        assert not described
    else:
        assert described
