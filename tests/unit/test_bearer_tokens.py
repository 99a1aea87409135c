"""Bearer tokens: what they are worth, and what they die of."""

import os

import pytest

from app.adapters.cluster.sealing import Sealer
from app.core.errors import S3Error
from app.core.sessions.session import Party, Session
from app.services.call import Caller
from app.services.identity.commanding import CommandRefused
from app.services.identity.tokens import PREFIX, BearerTokens

CALLER = Caller("1" * 12, "c" * 64, "Team", "AKTEAM")
SECRET = "the-secret-of-the-key"


class Clock:
    now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def tokens_of(key: bytes, clock: Clock, purpose: str = "bearer token") -> BearerTokens:
    box = Sealer(key, os.urandom).box(purpose)
    return BearerTokens(box.seal, box.open, clock)


@pytest.fixture
def tokens(clock: Clock) -> BearerTokens:
    return tokens_of(bytes(32), clock)


def test_a_token_stands_for_its_access_key_until_its_time_is_over(tokens: BearerTokens, clock: Clock) -> None:
    minted = tokens.mint(CALLER, SECRET, 900)
    assert tokens.opened(minted.token).access_key == "AKTEAM"
    assert minted.expires_ms == clock.now + 900_000
    assert minted.token not in repr(minted)
    clock.now = minted.expires_ms - 1
    assert tokens.opened(minted.token).access_key == "AKTEAM"
    clock.now = minted.expires_ms
    with pytest.raises(S3Error, match="ExpiredBearerToken"):
        tokens.opened(minted.token)


@pytest.mark.parametrize("seconds", [0, 899, 43_201, -1, 10**9])
def test_a_time_out_of_bounds_is_refused(tokens: BearerTokens, seconds: int) -> None:
    with pytest.raises(CommandRefused, match="InvalidInput"):
        tokens.mint(CALLER, SECRET, seconds)


def test_temporary_credentials_get_no_token_that_would_outlive_or_outrank_them(tokens: BearerTokens) -> None:
    session = Session("session", "ASIA1", "secret", Party("root", "1" * 12, 0), 0, 1)
    with pytest.raises(S3Error, match="AccessDenied"):
        tokens.mint(CALLER._replace(access_key_id="ASIA1", session=session), SECRET, 900)


@pytest.mark.parametrize("token", ["", PREFIX, PREFIX + "AAAA", PREFIX + "é", "x" * 5_000, PREFIX + "%" * 40])
def test_what_is_no_token_is_refused(tokens: BearerTokens, token: str) -> None:
    with pytest.raises(S3Error, match="InvalidBearerToken"):
        tokens.opened(token)


def test_a_token_of_another_cluster_or_for_another_purpose_or_with_a_changed_character_is_refused(
    tokens: BearerTokens, clock: Clock
) -> None:
    own = tokens.mint(CALLER, SECRET, 900).token
    changed = [own[:place] + ("A" if own[place] != "A" else "B") + own[place + 1 :] for place in range(6, len(own), 7)]
    others = [
        tokens_of(b"\x01" * 32, clock).mint(CALLER, SECRET, 900).token,
        tokens_of(bytes(32), clock, "session token").mint(CALLER, SECRET, 900).token,
    ]
    for token in changed + others:
        with pytest.raises(S3Error, match="InvalidBearerToken"):
            tokens.opened(token)


def test_a_token_is_of_one_secret_so_that_a_key_made_again_by_the_same_name_does_not_wake_it(
    tokens: BearerTokens,
) -> None:
    opened = tokens.opened(tokens.mint(CALLER, SECRET, 900).token)
    assert opened.is_of(SECRET)
    assert not opened.is_of("another-secret-of-the-key")
