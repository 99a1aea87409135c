"""The handler of HTML forms: an object posted by a browser, with the permission of the form's signer or of everybody.

Knows which fields stand for which headers, and the answers a form may ask for. Must not know the framing
(core/s3/post_form), the policy (core/auth/post_policy) or what a put does. Of the request's own headers none says what
is stored: no policy speaks of them.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from app.core import integrity, limits
from app.core.auth import post_policy
from app.core.body import Body
from app.core.errors import S3Error
from app.core.s3 import post_form, tags
from app.core.s3.encryption import answer_headers
from app.core.s3.post_form import Form
from app.core.s3.wanted import wanted
from app.core.s3.xml import Writer
from app.faces.http.exchange import Exchange
from app.faces.http.s3 import answers
from app.faces.http.wire import Headers, Response
from app.services.call import Call
from app.services.gate.access import ANONYMOUS
from app.services.objects.objects import Incoming, Objects, Stored, Target

_AS_THEY_ARE: Final = frozenset(
    {"cache-control", "content-type", "content-disposition", "content-encoding", "content-language", "expires"}
)
_OF_SIGNATURES: Final = frozenset(
    {"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "x-amz-security-token"}
)
_FILENAME: Final = "${filename}"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # no header can hold it


class PostHandlers:
    """PostObject alone: what comes of it is an object like others."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def post_object(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html"""
        if exchange.identity is not ANONYMOUS:
            raise S3Error("InvalidArgument", "Only one auth mechanism allowed: a form bears its own signature.")
        boundary = post_form.boundary_of(exchange.headers.get("content-type", ""))
        form = post_form.read(exchange.request.body, boundary)
        fields = _filled(form)
        if not fields.get("key"):
            raise post_policy.missing("key")
        call = _believed(exchange, form, fields)
        headers = _headers(fields)
        call = call._replace(facts=call.facts._replace(headers=_told(exchange.headers) | headers))
        key = fields["key"].encode()
        if len(key) > limits.KEY_BYTES_MAX:
            raise S3Error("KeyTooLongError", fields={"MaxSizeAllowed": str(limits.KEY_BYTES_MAX)})
        target = Target(exchange.operation.bucket, key, None, exchange.expected_owner)
        incoming = Incoming(form.file, integrity.parse(headers))
        return _answer(exchange, fields, self._objects.put(call, target, wanted(headers, call.now_ms), incoming))


def _filled(form: Form) -> dict[str, str]:
    """The fields with the file's name where they ask for it. Raises MaxPostPreDataLengthExceededError for a form that
    is small on its way and large here: nobody knows yet whose it is."""
    named = sum(value.count(_FILENAME) for value in form.fields.values())
    if named * len(form.filename) > limits.POST_FIELDS_BYTES_MAX:
        raise S3Error("MaxPostPreDataLengthExceededError")
    return {name: value.replace(_FILENAME, form.filename) for name, value in form.fields.items()}


def _believed(exchange: Exchange, form: Form, fields: Mapping[str, str]) -> Call:
    """The call of the form's signer, or of nobody; the policy was checked."""
    claim = post_policy.claim_of(form.fields)
    if claim is None:
        return exchange.call
    identity = exchange.access.authenticate_form(claim)
    policy = post_policy.parse(claim.policy)
    spoken_of = {**fields, "bucket": exchange.operation.bucket}
    post_policy.check(policy, spoken_of, exchange.call.now_ms / 1000)
    _check_size(policy.size, form.file)
    facts = exchange.call.facts._replace(auth_type=identity.auth_type, signature_version=identity.signature_version)
    return exchange.call._replace(caller=identity.caller, facts=facts)


def _check_size(allowed: tuple[int, int] | None, file: Body) -> None:
    size = file.length or 0
    if allowed is None:
        return
    if size > allowed[1]:
        raise S3Error("EntityTooLarge", fields={"ProposedSize": str(size), "MaxSizeAllowed": str(allowed[1])})
    if size < allowed[0]:
        raise S3Error("EntityTooSmall", fields={"ProposedSize": str(size), "MinSizeAllowed": str(allowed[0])})


def _headers(fields: Mapping[str, str]) -> dict[str, str]:
    """The headers a put would have borne: latin-1 texts of the fields' bytes. Raises InvalidArgument."""
    headers: dict[str, str] = {}
    for name, value in fields.items():
        if name in _OF_SIGNATURES:
            continue
        if name == "acl":
            headers["x-amz-acl"] = value
        elif name == "tagging":
            headers[tags.HEADER] = tags.header_text(tags.object_tags(value.encode()))
        elif name in _AS_THEY_ARE or name.startswith("x-amz-"):
            if _CONTROL.search(value):
                raise S3Error("InvalidArgument", fields={"ArgumentName": name})
            headers[name] = value.strip().encode().decode("latin-1")
    return headers


def _told(headers: Mapping[str, str]) -> dict[str, str]:
    """What policies may ask of the request itself: where it comes from, not what it wants."""
    return {name: value for name, value in headers.items() if not name.startswith("x-amz-")}


def _answer(exchange: Exchange, fields: Mapping[str, str], stored: Stored) -> Response:
    etag = f'"{stored.version.etag}"'
    bucket, key = exchange.operation.bucket, fields["key"]
    path = exchange.request.target.partition("?")[0].rstrip("/")
    scheme = "https" if exchange.call.facts.secure else "http"
    location = f"{scheme}://{exchange.headers.get('host', '')}{path}/{quote(key)}"
    headers: Headers = [("ETag", etag), *answers.version_header(stored.shown)]
    headers += answers.checksum_headers(stored.version.checksum)
    headers += answer_headers(stored.version.attributes.encryption, with_context=True)
    redirect = _redirect(fields)
    if redirect:
        query = f"bucket={quote(bucket)}&key={quote(key, '')}&etag={quote(etag, '')}"
        joined = f"{redirect}{'&' if '?' in redirect else '?'}{query}"
        return Response(303, [("Location", joined), *headers])
    headers.append(("Location", location))
    match fields.get("success_action_status"):
        case "200":
            return Response(200, headers)
        case "201":
            writer = Writer("PostResponse", namespace="")
            writer.text("Location", location)
            writer.text("Bucket", bucket)
            writer.text("Key", key)
            writer.text("ETag", etag)
            return Response(201, [*headers, answers.XML], (body := writer.document(),), len(body))
        case _:
            return Response(204, headers)


def _redirect(fields: Mapping[str, str]) -> str:
    """Where the form wants its user sent, "" when nowhere or to what is no URL."""
    wished = fields.get("success_action_redirect") or fields.get("redirect", "")
    return wished if wished.startswith(("http://", "https://")) and wished.isascii() and wished.isprintable() else ""
