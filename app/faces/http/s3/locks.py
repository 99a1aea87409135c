"""Handlers of object lock: a bucket's configuration, a version's retention and legal hold.

Knows S3's wire forms of them. Must not know rules (core/s3/lock) or what a use case does.
"""

from app.core import limits
from app.core.s3 import lock
from app.faces.http.exchange import Exchange
from app.faces.http.s3 import answers
from app.faces.http.wire import Response
from app.services.buckets.configs import Place
from app.services.objects.locks import Locks


class LockHandlers:
    """One method per operation."""

    def __init__(self, locks: Locks) -> None:
        self._locks = locks

    def get_object_lock_configuration(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html"""
        return _document(self._locks.configuration(exchange.call, _place(exchange)))

    def put_object_lock_configuration(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html"""
        self._locks.configure(exchange.call, _place(exchange), lambda: exchange.document(limits.XML_BYTES_MAX))
        return Response(200)

    def get_object_retention(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectRetention.html"""
        return _document(lock.retention_document(self._locks.retention(exchange.call, exchange.target())))

    def put_object_retention(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectRetention.html"""
        wanted = lock.retention_asked(exchange.document(limits.XML_BYTES_MAX), exchange.call.now_ms)
        self._locks.retain(exchange.call, exchange.target(), wanted, lock.bypass_asked(exchange.headers))
        return Response(200)

    def get_object_legal_hold(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLegalHold.html"""
        return _document(lock.hold_document(self._locks.hold(exchange.call, exchange.target())))

    def put_object_legal_hold(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLegalHold.html"""
        on = lock.hold_asked(exchange.document(limits.XML_BYTES_MAX))
        self._locks.set_hold(exchange.call, exchange.target(), on)
        return Response(200)


def _place(exchange: Exchange) -> Place:
    return Place(exchange.operation.bucket, exchange.expected_owner)


def _document(body: bytes) -> Response:
    return Response(200, [answers.XML], (body,), len(body))
