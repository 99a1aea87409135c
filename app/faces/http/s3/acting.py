"""Handlers of the configurations that act in the background: lifecycle, notifications, access logs.

Knows the wire's forms of them. Must not know what a rule does (core/s3/lifecycle, core/s3/notifications).
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from app.core import limits
from app.core.acl.settings import ENFORCED, ownership_of
from app.core.errors import S3Error
from app.core.s3.configs import lifecycle, logging, notification
from app.core.s3.xml import Writer
from app.core.types import Bucket
from app.faces.http.exchange import Exchange, Handler
from app.faces.http.s3 import answers
from app.faces.http.wire import Response
from app.services.background.lifecycle import MINIMUM_KIND, VARIES
from app.services.background.log_permission import may_deliver
from app.services.buckets.acting_configs import ActingConfigs, Addressed
from app.services.gate.directory import Directory

MINIMUM_HEADER: Final = "x-amz-transition-default-minimum-object-size"
_MINIMUM_DEFAULT: Final = "all_storage_classes_128K"
_MINIMUMS: Final = frozenset({_MINIMUM_DEFAULT, VARIES.decode()})


class Acting(NamedTuple):
    """What these handlers stand on. `storage_classes`: those a rule may move objects to; `arns`: of known targets."""

    configs: ActingConfigs
    storage_classes: Collection[str]
    arns: Collection[str]
    directory: Directory


class LifecycleHandlers:
    """`storage_classes`: those a rule may move objects to."""

    def __init__(self, configs: ActingConfigs, storage_classes: Collection[str]) -> None:
        self._configs = configs
        self._storage_classes = frozenset(storage_classes)

    def get_bucket_lifecycle_configuration(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html"""
        bucket = self._configs.get(exchange.call, addressed(exchange, "s3:GetLifecycleConfiguration"))
        document = bucket.configs.get("lifecycle")
        if document is None:
            raise S3Error("NoSuchLifecycleConfiguration", fields={"BucketName": bucket.name})
        return Response(200, [answers.XML, (MINIMUM_HEADER, minimum(bucket))], (document,), len(document))

    def put_bucket_lifecycle_configuration(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html"""
        chosen = exchange.headers.get(MINIMUM_HEADER, _MINIMUM_DEFAULT)
        if chosen not in _MINIMUMS:
            fields = {"ArgumentName": MINIMUM_HEADER, "ArgumentValue": chosen}
            raise S3Error("InvalidArgument", fields=fields)

        def make(bucket: Bucket) -> Mapping[str, bytes | None]:
            sent = exchange.document(limits.LIFECYCLE_BYTES_MAX)
            document = lifecycle.canonical(sent, self._storage_classes.__contains__)
            return {"lifecycle": document, MINIMUM_KIND: None if chosen == _MINIMUM_DEFAULT else chosen.encode()}

        self._configs.put(exchange.call, addressed(exchange, "s3:PutLifecycleConfiguration"), make)
        return Response(200, [(MINIMUM_HEADER, chosen)])

    def delete_bucket_lifecycle(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketLifecycle.html"""
        gone = {"lifecycle": None, MINIMUM_KIND: None}
        self._configs.put(exchange.call, addressed(exchange, "s3:PutLifecycleConfiguration"), lambda _: gone)
        return answers.no_content()


class NotificationHandlers:
    """`arns`: of the targets this server knows."""

    def __init__(self, configs: ActingConfigs, arns: Collection[str]) -> None:
        self._configs = configs
        self._arns = frozenset(arns)

    def get_bucket_notification_configuration(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketNotificationConfiguration.html"""
        bucket = self._configs.get(exchange.call, addressed(exchange, "s3:GetBucketNotification"))
        return stored(bucket.configs.get("notification"), "NotificationConfiguration")

    def put_bucket_notification_configuration(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html"""

        def make(bucket: Bucket) -> Mapping[str, bytes | None]:
            sent = exchange.document(limits.XML_BYTES_MAX)
            return {"notification": notification.canonical(sent, self._arns)}

        self._configs.put(exchange.call, addressed(exchange, "s3:PutBucketNotification"), make)
        return Response(200)


class LoggingHandlers:
    def __init__(self, configs: ActingConfigs, directory: Directory) -> None:
        self._configs = configs
        self._directory = directory

    def get_bucket_logging(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLogging.html"""
        bucket = self._configs.get(exchange.call, addressed(exchange, "s3:GetBucketLogging"))
        return stored(bucket.configs.get("logging"), "BucketLoggingStatus")

    def put_bucket_logging(self, exchange: Exchange) -> Response:
        """The target must exist, belong to the same account and let logs be delivered.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html
        """

        def make(bucket: Bucket) -> Mapping[str, bytes | None]:
            made = logging.canonical(exchange.document(limits.XML_BYTES_MAX))
            if made is None:
                return {"logging": None}
            document, rule = made
            target = self._configs.bucket(rule.bucket)
            now_ms = exchange.call.now_ms
            if target is None or not may_deliver(self._directory, bucket, target, rule.prefix, now_ms):
                raise S3Error("InvalidTargetBucketForLogging", fields={"TargetBucket": rule.bucket})
            if rule.granted and ownership_of(target) == ENFORCED:
                raise S3Error("InvalidArgument", "The target bucket has no access control lists to grant by.")
            return {"logging": document}

        self._configs.put(exchange.call, addressed(exchange, "s3:PutBucketLogging"), make)
        return Response(200)


def addressed(exchange: Exchange, action: str) -> Addressed:
    """The bucket of the request, for `action`."""
    return Addressed(exchange.operation.bucket, action, exchange.expected_owner)


def stored(document: bytes | None, root: str) -> Response:
    """200 with a stored document, or with an empty one of this root."""
    if document is None:
        return answers.document(Writer(root))
    return Response(200, [answers.XML], (document,), len(document))


def minimum(bucket: Bucket) -> str:
    """Which objects the bucket's rules leave in their class for being small, as S3 calls it."""
    return bucket.configs.get(MINIMUM_KIND, _MINIMUM_DEFAULT.encode()).decode()


def handlers(acting: Acting) -> dict[str, Handler]:
    """Handlers by operation name."""
    rules = LifecycleHandlers(acting.configs, acting.storage_classes)
    events = NotificationHandlers(acting.configs, acting.arns)
    logs = LoggingHandlers(acting.configs, acting.directory)
    return {
        "DeleteBucketLifecycle": rules.delete_bucket_lifecycle,
        "GetBucketLifecycleConfiguration": rules.get_bucket_lifecycle_configuration,
        "GetBucketNotificationConfiguration": events.get_bucket_notification_configuration,
        "GetBucketLogging": logs.get_bucket_logging,
        "PutBucketLogging": logs.put_bucket_logging,
        "PutBucketLifecycleConfiguration": rules.put_bucket_lifecycle_configuration,
        "PutBucketNotificationConfiguration": events.put_bucket_notification_configuration,
    }
