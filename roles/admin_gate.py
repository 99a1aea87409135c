"""Builds the gate of an admin face, the same wherever one is served.

Knows which bricks believe a caller there. Must not know what the face answers.
"""

from app.adapters.cluster.sealing import Sealer
from app.adapters.sessions import SessionTokens
from app.faces.http.admin.gate import Gate
from app.ports.cluster import Cluster
from app.services.gate.callers import Callers, Tokens
from roles.auditing import Auditing
from roles.running import SOURCES, Running


def gate(running: Running, cluster: Cluster, sealer: Sealer) -> Gate:
    """Believes keys and sessions of the control state, and tells the audit log."""
    settings = running.told.settings
    return Gate(
        cluster,
        Callers(cluster, sealer.unseal, Tokens(SessionTokens(sealer).open, SOURCES.now_ms)),
        SOURCES,
        metrics_token=settings.metrics_token,
        metrics_open=settings.dev,
        tell=Auditing(running).tell,
    )
