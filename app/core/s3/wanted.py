"""What a write asks for beside its bytes: attributes, access control list, lock, encryption; parsed from its headers.

Knows which headers speak of an object to be. Must not know the bucket, whose settings complete what is wanted
(services/objects/drafts), nor who may ask.
"""

from collections.abc import Mapping
from typing import NamedTuple

from app.core.acl import requests as acl_requests
from app.core.acl.requests import AclRequest
from app.core.s3 import encryption
from app.core.s3 import headers as header_rules
from app.core.s3 import lock as lock_rules
from app.core.s3.encryption import EncryptionRequest
from app.core.types import NO_LOCK, Attributes, Lock


class Wanted(NamedTuple):
    """`attributes` bear headers, user metadata, storage class and tags; None elsewhere: nothing was asked."""

    attributes: Attributes = Attributes()
    acl: AclRequest | None = None
    lock: Lock = NO_LOCK
    encryption: EncryptionRequest | None = None


NOTHING_WANTED = Wanted()


def wanted(headers: Mapping[str, str], now_ms: int) -> Wanted:
    """What the headers of a write that came at `now_ms` ask for.

    Raises what the rules of each header raise, and NotImplemented for a header that asks for something the server would
    not do.
    """
    header_rules.refuse_unimplemented(headers)
    lock = lock_rules.requested(headers, now_ms)
    acl = acl_requests.requested(headers)
    return Wanted(header_rules.attributes(headers), acl, lock, encryption.requested(headers))
