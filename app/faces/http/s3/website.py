"""Buckets served as websites, to visitors who are nobody, under hosts below a domain of its own.

Knows the order in which a path is answered: redirects, the object, its folder, redirects on errors, the error
document, the error page. Must not know the rules (core/s3/website) or who may read what: objects are got by the
handlers everybody gets them by, so a visitor reads what the bucket lets the public read.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteEndpoints.html
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from app.core.errors import Missing, S3Error
from app.core.s3 import website
from app.core.s3.operation import Operation, bucket_of_host, decode_key
from app.core.s3.website import Here, Redirect, Site
from app.core.types import Bucket
from app.faces.http.exchange import Exchange, Handler
from app.faces.http.s3.cors import Crossing
from app.faces.http.wire import Request, Response
from app.services.call import Call
from app.services.gate.access import ANONYMOUS, Access

_KIND: Final = "website"
_READS: Final = {"GET": "GetObject", "HEAD": "HeadObject"}
_REDIRECT_HEADER: Final = "x-amz-website-redirect-location"
_HTML: Final = ("Content-Type", "text/html; charset=utf-8")


class Sites:
    """`domains`: suffixes below which a sub-domain is a bucket's site, lower case. `handlers`: of GetObject and
    HeadObject. `find`: the bucket of a name; raises Missing."""

    def __init__(
        self,
        domains: Sequence[str],
        handlers: Mapping[str, Handler],
        access: Access,
        find: Callable[[str], Bucket],
    ) -> None:
        self._domains = tuple(domain.lower() for domain in domains)
        self._handlers = handlers
        self._access = access
        self._find = find
        self._crossing = Crossing(find)

    def bucket_of(self, host: str) -> str:
        """The bucket whose site a host is, "" for every other."""
        return bucket_of_host(host, self._domains)

    def visit(self, request: Request, bucket: str, call: Call) -> Response:
        """The answer to a visitor. Raises S3Error only for a preflight, and what the stores raise."""
        visit = _Visit(self._handlers, self._access, request, bucket, call)
        if request.method == "OPTIONS":
            return self._crossing.preflight(visit.exchange("OptionsObject", "/"))
        try:
            response = visit.answered(self._site(request, bucket))
        except S3Error as error:
            response = visit.error_page(error)
        if "origin" in request.headers:
            response.headers += self._crossing.answer_headers(bucket, request.method, request.headers)
        return response

    def _site(self, request: Request, bucket: str) -> Site:
        if request.method not in _READS:
            raise S3Error("MethodNotAllowed", fields={"Method": request.method, "ResourceType": "OBJECT"})
        try:
            stored = self._find(bucket).configs.get(_KIND)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": bucket}) from None
        if stored is None:
            raise S3Error("NoSuchWebsiteConfiguration", fields={"BucketName": bucket})
        return website.site(stored)


class _Visit:
    """One request under way."""

    def __init__(
        self, handlers: Mapping[str, Handler], access: Access, request: Request, bucket: str, call: Call
    ) -> None:
        self._handlers = handlers
        self._access = access
        self._request = request
        self._bucket = bucket
        self._call = call

    def answered(self, site: Site) -> Response:
        """The page, a redirect, or the site's own error document. Raises S3Error when it has none."""
        key = _path(self._request.target)
        here = Here("https" if self._call.facts.secure else "http", self._request.headers.get("host", ""))
        redirect = website.redirected(site, key, here)
        if redirect is not None:
            return _sent(redirect)
        try:
            return self._page(website.index_key(site, key), self._request)
        except S3Error as error:
            if error.status == 304:
                return Response(304, list(error.headers.items()))
            redirect = self._folder(site, key, error) or website.redirected_on_error(site, key, here, error.status)
            if redirect is not None:
                return _sent(redirect)
            return self._error_document(site, error)

    def _page(self, key: str, request: Request) -> Response:
        response = self._handlers[_READS[request.method]](self.exchange(_READS[request.method], key, request))
        location = next((value for name, value in response.headers if name == _REDIRECT_HEADER), None)
        if location is None:
            return response
        if response.close is not None:
            response.close()
        return _sent(Redirect(301, location))

    def _folder(self, site: Site, key: str, error: S3Error) -> Redirect | None:
        """To the same path with a slash, where the path is a folder's name without it."""
        index = website.folder_index(site, key)
        if not index or error.status not in (403, 404):
            return None
        try:
            self._handlers["HeadObject"](self.exchange("HeadObject", index, self._plain("HEAD")))
        except S3Error:
            return None
        return website.to_folder(key)

    def _error_document(self, site: Site, error: S3Error) -> Response:
        if not site.error or not 400 <= error.status < 500:
            raise error
        try:
            response = self._page(site.error, self._plain(self._request.method))
        except S3Error:
            raise error from None
        if response.status == 200:
            response.status = error.status
            response.headers += website.error_headers(error)
        return response

    def _plain(self, method: str) -> Request:
        """The request without the visitor's conditions and ranges, which speak of another object."""
        return self._request._replace(method=method, headers={})

    def exchange(self, operation: str, key: str, request: Request | None = None) -> Exchange:
        """The visit as a request for an object."""
        named = Operation(operation, self._bucket, key.encode(), {})
        return Exchange(request or self._request, named, self._call, ANONYMOUS, self._access)

    def error_page(self, error: S3Error) -> Response:
        """The error as a page."""
        headers = [*error.headers.items(), *website.error_headers(error), _HTML]
        page = website.error_page(error, self._call.request_id)
        if self._request.method == "HEAD":
            return Response(error.status, headers, (), len(page))
        return Response(error.status, headers, (page,), len(page))


def _path(target: str) -> str:
    """The key a target's path names. Raises InvalidURI, KeyTooLongError."""
    path = target.partition("?")[0]
    if not path.startswith("/"):
        path = "/" + path.partition("://")[2].partition("/")[2]
    return decode_key(path[1:]).decode() if path != "/" else ""


def _sent(redirect: Redirect) -> Response:
    return Response(redirect.status, [("Location", redirect.location)])
