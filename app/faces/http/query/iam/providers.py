"""OIDC providers: IAM's actions on them. Knows that a provider is named by its URL without the scheme.

Must not know tokens. A URL may be http:// as well: whether such an issuer is asked is the server's setting, and its
tokens are believed nowhere else. A provider's URL is told without its scheme, as AWS tells it.
"""

from collections.abc import Mapping
from typing import Final

from app.core.cluster import OidcProvider, Who
from app.core.s3.times import iso_time
from app.faces.http.query.answers import Values
from app.faces.http.query.iam import shown
from app.faces.http.query.iam.ask import Act, Ask, Keys, tag_keys
from app.faces.http.query.iam.held import listed_tags, with_tags, without_tags
from app.services.identity.commanding import CommandRefused
from app.services.identity.iam import Wanted

_KIND: Final = "oidc-provider"
_ARN: Final = "OpenIDConnectProviderArn"


def create(ask: Ask) -> Values:
    url = ask.needed("Url")
    scheme, _, name = url.partition("://")
    if scheme not in ("https", "http") or not name:
        raise CommandRefused("ValidationError", "Invalid Open ID Connect Provider URL")
    name, tags = name.rstrip("/"), ask.tags()
    resource, keys = ask.arn(f"{_KIND}/{name}"), tag_keys(tags)
    ask.demand(resource, keys=keys)
    if tags:
        ask.demand(resource, keys=keys, action="TagOpenIDConnectProvider")
    wanted = Wanted(tags=tags, client_ids=ask.members("ClientIDList"), thumbprints=ask.members("ThumbprintList"))
    ask.use.iam.create(Who(ask.account.name, _KIND, name), wanted)
    return {_ARN: resource, **({"Tags": shown.tags(tags)} if tags else {})}


def get(ask: Ask) -> Values:
    _, found = _found(ask)
    return {
        "Url": found.name,
        "ClientIDList": list(found.client_ids),
        "ThumbprintList": list(found.thumbprints),
        "CreateDate": iso_time(found.created_ms),
        **({"Tags": shown.tags(found.tags)} if found.tags else {}),
    }


def list_all(ask: Ask) -> Values:
    """OIDC_PROVIDERS_MAX of them at most: IAM has no pages here."""
    ask.demand(ask.arn(f"{_KIND}/*"))
    names = sorted(ask.account.oidc_providers)
    return {"OpenIDConnectProviderList": [{"Arn": ask.arn(f"{_KIND}/{name}")} for name in names]}


def delete(ask: Ask) -> Values:
    ask.use.iam.delete(_found(ask)[0])
    return {}


def add_client_id(ask: Ask) -> Values:
    who, found = _found(ask)
    client_ids = tuple(dict.fromkeys((*found.client_ids, ask.needed("ClientID"))))
    ask.use.iam.set_oidc_trust(who, client_ids, found.thumbprints)
    return {}


def remove_client_id(ask: Ask) -> Values:
    who, found = _found(ask)
    gone = ask.needed("ClientID")
    ask.use.iam.set_oidc_trust(who, tuple(one for one in found.client_ids if one != gone), found.thumbprints)
    return {}


def update_thumbprint(ask: Ask) -> Values:
    who, found = _found(ask)
    ask.use.iam.set_oidc_trust(who, found.client_ids, ask.members("ThumbprintList"))
    return {}


def tag(ask: Ask) -> Values:
    given = ask.tags()
    who, found = _found(ask, tag_keys(given))
    ask.use.iam.set_tags(who, with_tags(found.tags, given))
    return {}


def untag(ask: Ask) -> Values:
    taken = ask.members("TagKeys")
    who, found = _found(ask, tag_keys(taken))
    ask.use.iam.set_tags(who, without_tags(found.tags, taken))
    return {}


def list_tags(ask: Ask) -> Values:
    return listed_tags(ask, _found(ask)[1].tags)


def _found(ask: Ask, keys: Keys | None = None) -> tuple[Who, OidcProvider]:
    """The provider of an ARN, which the caller may. NoSuchEntity after AccessDenied."""
    resource = ask.needed(_ARN)
    account, start = ask.account, ask.arn(f"{_KIND}/")
    found = account.oidc_providers.get(resource.removeprefix(start)) if resource.startswith(start) else None
    ask.demand(resource, found, keys or {})
    if found is None:
        raise CommandRefused("NoSuchEntity", f"OpenIDConnect Provider not found for arn {resource}")
    return Who(account.name, _KIND, found.name), found


ACTIONS: Final[Mapping[str, Act]] = {
    "AddClientIDToOpenIDConnectProvider": add_client_id,
    "CreateOpenIDConnectProvider": create,
    "DeleteOpenIDConnectProvider": delete,
    "GetOpenIDConnectProvider": get,
    "ListOpenIDConnectProviderTags": list_tags,
    "ListOpenIDConnectProviders": list_all,
    "RemoveClientIDFromOpenIDConnectProvider": remove_client_id,
    "TagOpenIDConnectProvider": tag,
    "UntagOpenIDConnectProvider": untag,
    "UpdateOpenIDConnectProviderThumbprint": update_thumbprint,
}
