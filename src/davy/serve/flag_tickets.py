"""Tickets for streams: a browser's EventSource sends no headers, so what lets it in is in the URL."""

import hmac
from hashlib import sha256

from davy.flags.token import Token, Tokens

WINDOW_S = 600
"""A ticket is good until the end of the window after the one it was made in: ten to twenty minutes.

All tickets of a window are the same, so that an answer that did not change is the same, and its ETag with it.
"""


def ticket(token: Token, now: float) -> str:
    """Return what lets the holder of a token in for a while.

    It is signed with what is kept of the secret, so every server that knows the token knows its tickets, and a
    token that is revoked takes its tickets with it.
    """
    until = (int(now) // WINDOW_S + 2) * WINDOW_S
    return f"{token.name}.{until}.{_signature(token, until)}"


def holder(shown: str, tokens: Tokens, now: float) -> Token | None:
    """Return the token that a ticket was made for, while it is good."""
    parts = shown.rsplit(".", 2)
    if len(parts) != 3 or not (parts[1].isascii() and parts[1].isdigit() and len(parts[1]) < 16):
        return None
    token, until = tokens.named(parts[0], now), int(parts[1])
    if token is None or not now < until <= now + 2 * WINDOW_S:
        return None
    signed = _signature(token, until)
    return token if hmac.compare_digest(signed.encode(), parts[2].encode("utf-8", "surrogatepass")) else None


def _signature(token: Token, until: int) -> str:
    return hmac.new(token.hash.encode(), f"stream\n{token.name}\n{until}".encode(), sha256).hexdigest()
