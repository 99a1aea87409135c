"""Builds what issues temporary credentials, for whatever process answers STS.

Knows which bricks these stand on. Must not know wires.
"""

import os
import time

from app.adapters.directory import DirectoryPlace, LdapDirectory
from app.adapters.https_get import Getter
from app.adapters.oidc import OidcIssuers
from app.adapters.sessions import SessionTokens
from app.config import Settings
from app.faces.http.query.sts import StsActions
from app.ports.cluster import Cluster
from app.services.gate.slowing import Slowing
from app.services.identity.commanding import Identities
from app.services.identity.federation import DirectoryLogins, RoleOf, WebLogins
from app.services.identity.issuing import Issuing
from app.services.identity.sessions import Sessions
from roles import credentials
from roles.running import SOURCES


def actions(settings: Settings, cluster: Cluster, tokens: SessionTokens) -> StsActions:
    """STS's actions over a control state."""
    made = Identities(credentials.new_access_key, credentials.new_secret_key, os.urandom)
    issuing = Issuing(cluster, tokens.seal, SOURCES, made)
    getter = Getter(own_machine=settings.dev)
    issuers = OidcIssuers(getter.get, time.monotonic, time.time, plain_http=settings.dev)
    return StsActions(
        Sessions(cluster, issuing),
        WebLogins(cluster, issuing, issuers),
        DirectoryLogins(cluster, issuing, _directory(settings), _roles(settings), Slowing(SOURCES.now_ms)),
    )


def _directory(settings: Settings) -> LdapDirectory | None:
    if not settings.ldap_url:
        return None
    return LdapDirectory(
        DirectoryPlace(
            settings.ldap_url,
            settings.ldap_bind_dn,
            settings.ldap_bind_password,
            settings.ldap_user_base,
            settings.ldap_user_filter,
            settings.ldap_group_base,
            settings.ldap_group_filter,
            starttls=settings.ldap_tls == "starttls",
        )
    )


def _roles(settings: Settings) -> tuple[RoleOf, ...]:
    """Names are compared without case, and spaces as they stand."""
    pairs = (one.rpartition(" ") for one in settings.ldap_role_of)
    return tuple(RoleOf(dn.lower(), role_arn) for dn, _, role_arn in pairs)
