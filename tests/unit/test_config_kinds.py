"""Every kind of configuration: a whole document of it, an unknown element anywhere, and each bound."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import S3Error
from app.core.s3.configs import cors, kinds, replication, stored, website
from app.core.s3.configs.grammar import Grammar, Node
from app.core.s3.configs.kinds import Kind
from app.core.types import Bucket, Versioning

FULL: dict[str, tuple[Grammar, str]] = {
    "cors": (
        cors.GRAMMAR,
        "<CORSConfiguration><CORSRule><ID>i</ID><AllowedHeader>*</AllowedHeader><AllowedMethod>GET</AllowedMethod>"
        "<AllowedOrigin>http://*.a</AllowedOrigin><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>5</MaxAgeSeconds>"
        "</CORSRule></CORSConfiguration>",
    ),
    "website": (
        website.GRAMMAR,
        "<WebsiteConfiguration><ErrorDocument><Key>e</Key></ErrorDocument><IndexDocument><Suffix>i</Suffix>"
        "</IndexDocument><RoutingRules><RoutingRule><Condition><HttpErrorCodeReturnedEquals>404"
        "</HttpErrorCodeReturnedEquals><KeyPrefixEquals>p</KeyPrefixEquals></Condition><Redirect><HostName>h</HostName>"
        "<HttpRedirectCode>307</HttpRedirectCode><Protocol>https</Protocol><ReplaceKeyWith>k</ReplaceKeyWith></Redirect>"
        "</RoutingRule></RoutingRules></WebsiteConfiguration>",
    ),
    "all requests": (
        website.GRAMMAR,
        "<WebsiteConfiguration><RedirectAllRequestsTo><HostName>h</HostName><Protocol>http</Protocol>"
        "</RedirectAllRequestsTo></WebsiteConfiguration>",
    ),
    "payment": (stored.PAYMENT, "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>"),
    "accelerate": (stored.ACCELERATE, "<AccelerateConfiguration><Status>Suspended</Status></AccelerateConfiguration>"),
    "abac": (stored.ABAC, "<AbacStatus><Status>Disabled</Status></AbacStatus>"),
    "analytics": (
        stored.ANALYTICS,
        "<AnalyticsConfiguration><Id>a</Id><Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And>"
        "</Filter><StorageClassAnalysis><DataExport><OutputSchemaVersion>V_1</OutputSchemaVersion><Destination>"
        "<S3BucketDestination><Format>CSV</Format><BucketAccountId>111111111111</BucketAccountId>"
        "<Bucket>arn:aws:s3:::bucket</Bucket><Prefix>x</Prefix></S3BucketDestination></Destination></DataExport>"
        "</StorageClassAnalysis></AnalyticsConfiguration>",
    ),
    "metrics": (
        stored.METRICS,
        "<MetricsConfiguration><Id>a</Id><Filter><AccessPointArn>arn:a</AccessPointArn></Filter></MetricsConfiguration>",
    ),
    "tiering": (
        stored.TIERING,
        "<IntelligentTieringConfiguration><Id>a</Id><Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><Status>"
        "Enabled</Status><Tiering><AccessTier>ARCHIVE_ACCESS</AccessTier><Days>90</Days></Tiering><Tiering><AccessTier>"
        "DEEP_ARCHIVE_ACCESS</AccessTier><Days>730</Days></Tiering></IntelligentTieringConfiguration>",
    ),
    "replication": (
        replication.GRAMMAR,
        "<ReplicationConfiguration><Role>arn:aws:iam::111111111111:role/a/b</Role><Rule><ID>i</ID><Priority>1</Priority>"
        "<Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter><Status>Enabled</Status>"
        "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects>"
        "<ReplicaModifications><Status>Disabled</Status></ReplicaModifications></SourceSelectionCriteria>"
        "<ExistingObjectReplication><Status>Enabled</Status></ExistingObjectReplication><Destination>"
        "<Bucket>arn:aws:s3:::target</Bucket><Account>111111111111</Account><StorageClass>STANDARD</StorageClass>"
        "<AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation><EncryptionConfiguration>"
        "<ReplicaKmsKeyID>k</ReplicaKmsKeyID></EncryptionConfiguration><ReplicationTime><Status>Enabled</Status><Time>"
        "<Minutes>15</Minutes></Time></ReplicationTime><Metrics><Status>Enabled</Status><EventThreshold>"
        "<Minutes>15</Minutes></EventThreshold></Metrics></Destination><DeleteMarkerReplication><Status>Disabled</Status>"
        "</DeleteMarkerReplication></Rule></ReplicationConfiguration>",
    ),
}


def refusal(grammar: Grammar, document: str) -> str:
    with pytest.raises(S3Error) as caught:
        grammar.parse(document.encode())
    return caught.value.code


@pytest.mark.parametrize("kind", FULL)
def test_a_whole_document_is_its_own_canonical_form(kind: str) -> None:
    grammar, document = FULL[kind]
    canonical = grammar.canonical(document.encode())
    assert grammar.canonical(canonical) == canonical
    assert re.sub(rb' xmlns="[^"]*"', b"", canonical).partition(b"\n")[2] == document.encode()


@pytest.mark.parametrize("kind", FULL)
def test_an_unknown_element_is_malformed_wherever_it_stands(kind: str) -> None:
    grammar, document = FULL[kind]
    places = [found.end() for found in re.finditer(r"<[A-Za-z0-9]+>", document)]
    for place in places:
        assert refusal(grammar, document[:place] + "<Unknown/>" + document[place:]) == "MalformedXML"


@pytest.mark.parametrize("kind", FULL)
def test_an_empty_document_is_refused(kind: str) -> None:
    grammar, _ = FULL[kind]
    assert refusal(grammar, f"<{grammar.root}/>") in ("MalformedXML", "InvalidArgument")


def changed(kind: str, *pairs: tuple[str, str]) -> str:
    document = FULL[kind][1]
    for old, new in pairs:
        assert old in document
        document = document.replace(old, new)
    return document


RULE = "<RoutingRule><Redirect><HostName>h</HostName></Redirect></RoutingRule>"


@pytest.mark.parametrize(
    ("kind", "pairs", "code"),
    [
        ("website", [("<Suffix>i</Suffix>", "<Suffix></Suffix>")], "InvalidArgument"),
        ("website", [("<Suffix>i</Suffix>", "<Suffix>a/b</Suffix>")], "InvalidArgument"),
        ("website", [("<IndexDocument><Suffix>i</Suffix></IndexDocument>", "")], "InvalidArgument"),
        ("website", [("404", "200")], "InvalidRequest"),
        ("website", [("404", "4x4")], "InvalidRequest"),
        ("website", [("307", "300")], "InvalidRequest"),
        ("website", [("307", "200")], "InvalidRequest"),
        ("website", [("https", "ftp")], "InvalidRequest"),
        ("website", [("<HostName>h</HostName>", "<HostName>a b</HostName>")], "MalformedXML"),
        ("website", [("</ReplaceKeyWith>", "</ReplaceKeyWith><ReplaceKeyPrefixWith/>")], "MalformedXML"),
        ("website", [("<RoutingRules>", "<RoutingRules>" + RULE * 50)], "InvalidRequest"),
        ("website", [("<RoutingRules>", "<RoutingRules><RoutingRule><Redirect/></RoutingRule>")], "MalformedXML"),
        ("website", [("<RoutingRules>", "<RoutingRules><RoutingRule/>")], "MalformedXML"),
        (
            "all requests",
            [("<RedirectAll", "<ErrorDocument><Key>e</Key></ErrorDocument><RedirectAll")],
            "InvalidRequest",
        ),
        ("all requests", [("<HostName>h</HostName>", "")], "MalformedXML"),
        ("payment", [("Requester", "Nobody")], "MalformedXML"),
        ("accelerate", [("Suspended", "On")], "MalformedXML"),
        ("analytics", [("<Id>a</Id>", "")], "MalformedXML"),
        ("analytics", [("<Id>a</Id>", f"<Id>{'a' * 65}</Id>")], "MalformedXML"),
        ("analytics", [("<Prefix>p</Prefix>", "")], "MalformedXML"),
        ("analytics", [("<And>", "<Prefix>q</Prefix><And>")], "MalformedXML"),
        ("analytics", [("arn:aws:s3:::bucket", "bucket")], "MalformedXML"),
        ("tiering", [("90", "89")], "InvalidArgument"),
        ("tiering", [("730", "731")], "MalformedXML"),
        ("tiering", [("DEEP_ARCHIVE_ACCESS", "ARCHIVE_ACCESS")], "MalformedXML"),
        ("replication", [("arn:aws:iam::111111111111:role/a/b", "role")], "InvalidArgument"),
        ("replication", [("arn:aws:s3:::target", "target")], "InvalidArgument"),
        ("replication", [("<Priority>1</Priority>", "")], "InvalidRequest"),
        ("replication", [("<Account>111111111111</Account>", "")], "InvalidRequest"),
        ("replication", [("<Minutes>15", "<Minutes>16")], "MalformedXML"),
        ("replication", [("<Filter>", "<Prefix/><Filter>")], "MalformedXML"),
    ],
)
def test_each_bound_has_its_refusal(kind: str, pairs: list[tuple[str, str]], code: str) -> None:
    assert refusal(FULL[kind][0], changed(kind, *pairs)) == code


def test_rules_of_replication_differ_in_id_and_priority() -> None:
    rule = re.search(r"<Rule>.*</Rule>", FULL["replication"][1])
    assert rule is not None
    for other in ("<ID>i</ID><Priority>2</Priority>", "<ID>j</ID><Priority>1</Priority>"):
        second = rule[0].replace("<ID>i</ID><Priority>1</Priority>", other)
        assert refusal(replication.GRAMMAR, changed("replication", (rule[0], rule[0] + second))) == "InvalidRequest"


def checked(kind: Kind, document: str, bucket: Bucket) -> Node:
    node = kind.grammar.parse(document.encode())
    kind.check(bucket, node)
    return node


def test_rules_across_configurations_are_decided_on_the_bucket() -> None:
    bucket = Bucket(bytes(16), "a.bucket", "o", 0)
    for kind, document in (
        (kinds.REPLICATION, FULL["replication"][1]),
        (kinds.ACCELERATE, FULL["accelerate"][1]),
    ):
        with pytest.raises(S3Error):
            checked(kind, document, bucket)
    ready = Bucket(bytes(16), "bucket", "o", 0, versioning=Versioning.ENABLED)
    node = checked(kinds.REPLICATION, FULL["replication"][1], ready)
    assert kinds.REPLICATION.buckets(node) == ("target",)
    checked(kinds.ACCELERATE, FULL["accelerate"][1], ready)
    checked(kinds.ABAC, FULL["abac"][1], ready)


def test_what_stands_for_an_absent_configuration_is_one() -> None:
    for kind in (kinds.PAYMENT, kinds.ABAC):
        assert kind.grammar.canonical(kind.absent.encode()) == kind.absent.encode()
    assert b"<AccelerateConfiguration" in kinds.ACCELERATE.absent.encode()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(FULL)), st.integers(0, 2_000), st.integers(0, 40), st.binary(max_size=12))
def test_a_document_changed_anywhere_is_read_or_refused(kind: str, at: int, gone: int, new: bytes) -> None:
    grammar, document = FULL[kind]
    raw = document.encode()
    at %= len(raw)
    try:
        canonical = grammar.canonical(raw[:at] + new + raw[at + gone :])
    except S3Error:
        return
    assert grammar.canonical(canonical) == canonical
