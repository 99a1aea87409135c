"""Access log lines and names, and the configurations of logs and inventories."""

import shlex

import pytest

from app.core.errors import S3Error
from app.core.s3 import access_log
from app.core.s3.access_log import Entry
from app.core.s3.configs import inventory, logging

ENTRY = Entry(
    1_549_411_238_000, "owner", "bucket", "192.0.2.3", "arn:aws:iam::1:root", "REQ", "PutObject", "PUT", b"a b",
    "/bucket/a%20b?x=1", 200, "", 0, 70, "", "curl/7", "", "HOST=", "AWS4-HMAC-SHA256", "REST-HEADER", "s3.test",
)  # fmt: skip


def fields(entry: Entry) -> list[str]:
    return shlex.split(access_log.line(entry).decode().replace("[", '"').replace("]", '"'))


def test_a_line_has_s3s_fields_in_s3s_order() -> None:
    assert access_log.line(ENTRY) == (
        b"owner bucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 arn:aws:iam::1:root REQ REST.PUT.OBJECT a%20b "
        b'"PUT /bucket/a%20b?x=1 HTTP/1.1" 200 - - - 70 - "-" "curl/7" - HOST= SigV4 - AuthHeader s3.test - - -\n'
    )


@pytest.mark.parametrize("text", ['" 200 - - "', "a\nb", "\\", "\x7f\x00", 'x" y'])
def test_no_client_writes_fields_or_lines_of_its_own(text: str) -> None:
    entry = ENTRY._replace(user_agent=text, referer=text, target=f"/{text}", key=text.encode(), host=text)
    assert len(fields(entry)) == 26
    assert access_log.line(entry).count(b"\n") == 1


@pytest.mark.parametrize(
    ("operation", "method", "named"),
    [
        ("GetObject", "GET", "REST.GET.OBJECT"),
        ("HeadBucket", "HEAD", "REST.HEAD.BUCKET"),
        ("CopyObject", "PUT", "REST.COPY.OBJECT"),
        ("UploadPart", "PUT", "REST.PUT.PART"),
        ("DeleteObjects", "POST", "REST.POST.MULTI_OBJECT_DELETE"),
        ("GetBucketVersioning", "GET", "REST.GET.VERSIONING"),
        ("PutBucketLifecycleConfiguration", "PUT", "REST.PUT.LIFECYCLE"),
        ("GetObjectTagging", "GET", "REST.GET.OBJECT_TAGGING"),
        ("Unknown", "GET", "REST.GET.UNKNOWN"),
    ],
)
def test_operations_are_named_as_s3_names_them(operation: str, method: str, named: str) -> None:
    assert access_log.operation_name(operation, method) == named


def log_rule(form: str = "") -> bytes:
    return (
        "<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>p/</TargetPrefix>"
        f"{form}</LoggingEnabled></BucketLoggingStatus>"
    ).encode()


def partitioned(by: str) -> str:
    inner = f"<PartitionedPrefix><PartitionDateSource>{by}</PartitionDateSource></PartitionedPrefix>"
    return f"<TargetObjectKeyFormat>{inner}</TargetObjectKeyFormat>"


@pytest.mark.parametrize(
    ("form", "key"),
    [
        ("", b"p/2019-02-06-00-00-38-U"),
        (partitioned("DeliveryTime"), b"p/1/r/src/2019/02/06/2019-02-06-00-00-38-U"),
        (partitioned("EventTime"), b"p/1/r/src/2019/02/06/2019-02-06-00-00-00-U"),
    ],
)
def test_log_objects_are_named_as_asked(form: str, key: bytes) -> None:
    made = logging.canonical(log_rule(form))
    assert made is not None
    assert logging.rule(made[0]) == made[1]
    assert access_log.object_key(made[1], ("1", "r", "src"), ENTRY.time_ms, "U") == key


def test_a_logging_status_without_a_rule_ends_logging() -> None:
    assert logging.canonical(b"<BucketLoggingStatus/>") is None


@pytest.mark.parametrize("form", [partitioned("Never"), "<LoggingType>Journal</LoggingType>"])
def test_wrong_logging_is_refused(form: str) -> None:
    with pytest.raises(S3Error, match="MalformedXML"):
        logging.canonical(log_rule(form))


def inventory_of(**changes: str) -> bytes:
    parts = {
        "Id": "<Id>i</Id>",
        "Bucket": "<Bucket>arn:aws:s3:::lists</Bucket>",
        "Format": "<Format>CSV</Format>",
        "Frequency": "<Frequency>Daily</Frequency>",
    } | changes
    return (
        f"<InventoryConfiguration><Destination><S3BucketDestination>{parts['Bucket']}{parts['Format']}"
        f"</S3BucketDestination></Destination><IsEnabled>true</IsEnabled>{parts['Id']}"
        f"<IncludedObjectVersions>All</IncludedObjectVersions><Schedule>{parts['Frequency']}</Schedule>"
        "</InventoryConfiguration>"
    ).encode()


def test_an_inventory_is_kept_in_its_canonical_form() -> None:
    grammar = inventory.INVENTORY
    stored = grammar.canonical(inventory_of())
    assert grammar.canonical(stored) == stored


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("MalformedXML", {"Id": ""}),
        ("MalformedXML", {"Frequency": "<Frequency>Hourly</Frequency>"}),
        ("InvalidS3DestinationBucket", {"Bucket": "<Bucket>lists</Bucket>"}),
        ("NotImplemented", {"Format": "<Format>ORC</Format>"}),
    ],
)
def test_wrong_inventories_are_refused(code: str, changes: dict[str, str]) -> None:
    with pytest.raises(S3Error) as refused:
        inventory.INVENTORY.parse(inventory_of(**changes))
    assert refused.value.code == code
