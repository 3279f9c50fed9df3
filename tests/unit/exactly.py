"""Named tuples are equal where their values are, whatever their kinds: here the kinds count too."""

from __future__ import annotations


def exactly(value: object) -> object:
    """`value` with the kind of each tuple and list in it, to be compared with another."""
    if isinstance(value, tuple | list):
        return type(value), [exactly(one) for one in value]
    return value
