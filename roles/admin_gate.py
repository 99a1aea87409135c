"""Builds the gate of an admin face, the same wherever one is served, and the endpoints that tell of it.

Knows which bricks believe a caller there, and what of the settings may be shown. Must not know what is administered.
"""

from app.adapters.cluster.sealing import Sealer
from app.adapters.sessions import SessionTokens
from app.config import SETTINGS, Settings
from app.faces.http.admin import configuration, tokens
from app.faces.http.admin.endpoints import Endpoint
from app.faces.http.admin.gate import Gate, Scraping
from app.ports.cluster import Cluster
from app.services.gate.callers import Callers, Tokens
from app.services.identity.tokens import BearerTokens
from roles.auditing import Auditing
from roles.running import SOURCES, Running

_MASKED = "********"


def gate(running: Running, cluster: Cluster, sealer: Sealer) -> Gate:
    """Believes keys and sessions of the control state, and tells the audit log."""
    settings = running.told.settings
    return Gate(
        cluster,
        Callers(cluster, sealer.unseal, Tokens(SessionTokens(sealer).open, SOURCES.now_ms)),
        SOURCES,
        scraping=Scraping(settings.metrics_token, settings.dev),
        tell=Auditing(running).tell,
        bearers=_bearers(sealer),
    )


def making_tokens(cluster: Cluster, sealer: Sealer) -> list[Endpoint]:
    """Of managers: bearer tokens are made there, and believed by every node."""
    return tokens.endpoints(_bearers(sealer), Callers(cluster, sealer.unseal))


def configuring(settings: Settings) -> list[Endpoint]:
    """What a process was started with, secrets masked."""
    plain = settings.plain()
    secrets = {name for name in plain if SETTINGS[name].metadata["secret"]}
    return configuration.endpoints({**plain, **{name: _MASKED if plain[name] else "" for name in secrets}})


def _bearers(sealer: Sealer) -> BearerTokens:
    box = sealer.box("bearer token")
    return BearerTokens(box.seal, box.open, SOURCES.now_ms)
