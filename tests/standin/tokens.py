"""Tokens of the HTTP API: JSON Web Tokens signed with HS256, minted and judged here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from typing import Any


class TokenRefusedError(Exception):
    """A token was refused; `status` is the HTTP status to answer with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def mint(
    api_key: str,
    secret: str,
    *,
    permissions: Sequence[str] = ("allow_join",),
    roles: Sequence[str] = ("crawler",),
    expires_in_s: float = 86400.0,
    room_id: str | None = None,
) -> str:
    """A signed token; negative `expires_in_s` makes one that is expired already."""
    now = time.time()
    claims: dict[str, Any] = {
        "apikey": api_key,
        "permissions": list(permissions),
        "version": 2,
        "roles": list(roles),
        "iat": int(now),
        "exp": int(now + expires_in_s),
    }
    if room_id is not None:
        claims["roomId"] = room_id
    signed = f"{_segment({'alg': 'HS256', 'typ': 'JWT'})}.{_segment(claims)}"
    return f"{signed}.{_signature(signed, secret)}"


def judge(token: str, api_key: str, secret: str, room_id: str | None = None) -> None:
    """Raise TokenRefusedError unless `token` may create sessions (in `room_id`, once that is known)."""
    claims = _claims(token, secret)
    if claims is None or claims.get("apikey") != api_key:
        raise TokenRefusedError(401, "Token is invalid or expired")
    expires = claims.get("exp")
    if not isinstance(expires, int | float) or expires <= time.time():
        raise TokenRefusedError(401, "Token is invalid or expired")
    if "allow_join" not in (claims.get("permissions") or ()):
        raise TokenRefusedError(403, "Token has no permission to join")
    if "roles" in claims and "crawler" not in (claims["roles"] or ()):
        raise TokenRefusedError(403, "Token has no role for this API")
    if room_id is not None and claims.get("roomId", room_id) != room_id:
        raise TokenRefusedError(403, "Token is for another room")


def _claims(token: str, secret: str) -> dict[str, Any] | None:
    """The claims of a token whose signature is right, or None."""
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():
        return None
    if not hmac.compare_digest(parts[2], _signature(f"{parts[0]}.{parts[1]}", secret)):
        return None
    try:
        header, claims = (json.loads(base64.urlsafe_b64decode(p + "=" * (-len(p) % 4))) for p in parts[:2])
    except ValueError:
        return None
    if not isinstance(header, dict) or header.get("alg") != "HS256" or not isinstance(claims, dict):
        return None
    return claims


def _segment(value: dict[str, Any]) -> str:
    """One part of a token: JSON in unpadded URL-safe base64."""
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _signature(signed: str, secret: str) -> str:
    return _base64url(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
