"""The handler of DeleteObjects: up to 1,000 keys, each with its own outcome.

Knows its documents. Must not know what deleting does.
"""

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.conditions import Check, delete_entry_check
from app.core.s3.documents import DeleteEntry, delete_document
from app.core.s3.xml import Writer
from app.faces.http.exchange import Exchange, version_named
from app.faces.http.s3 import answers
from app.faces.http.wire import Response
from app.services.buckets import Buckets
from app.services.objects import Deletion, Objects, Target


class DeleteHandlers:
    def __init__(self, objects: Objects, buckets: Buckets) -> None:
        self._objects = objects
        self._buckets = buckets

    def delete_objects(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""
        bucket = exchange.operation.bucket
        self._buckets.find(exchange.call, bucket, exchange.expected_owner)  # nobody's document is read in vain
        wanted = delete_document(exchange.document(limits.XML_DELETE_BYTES_MAX))
        outcomes: list[Deletion | None] = []
        asked: list[tuple[Target, Check | None]] = []
        for entry in wanted.entries:
            refused = _refused(entry)
            outcomes.append(refused)
            if refused is None:
                check = delete_entry_check(entry.etag, entry.modified, entry.size)
                asked.append((Target(bucket, entry.key, entry.version), check))
        done = iter(self._objects.delete_many(exchange.call, bucket, exchange.expected_owner, asked))
        writer = Writer("DeleteResult")
        for outcome in outcomes:
            _write(writer, outcome or next(done), wanted.quiet)
        return answers.document(writer)


def _refused(entry: DeleteEntry) -> Deletion | None:
    """The outcome of an entry that cannot be meant, None for a good one."""
    try:
        version_named(entry.version)
        delete_entry_check(entry.etag, entry.modified, entry.size)
        if len(entry.key) > limits.KEY_BYTES_MAX:
            raise S3Error("KeyTooLongError")
    except S3Error as error:
        return Deletion(entry.key, entry.version, error)
    return None


def _write(writer: Writer, outcome: Deletion, quiet: bool) -> None:
    if outcome.error is None and quiet:
        return
    tag = "Deleted" if outcome.error is None else "Error"
    writer.open(tag)
    writer.key("Key", outcome.key, url=False)
    if outcome.version is not None:
        writer.text("VersionId", outcome.version)
    if outcome.error is not None:
        writer.text("Code", outcome.error.code)
        writer.text("Message", outcome.error.message)
    writer.close(tag)
