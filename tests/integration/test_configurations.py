"""Bucket configurations, tags of versions, other origins and websites, as clients and browsers see them."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.server import Server
from tests.integration.visitor import Seen, browse, code_of

# --- documents

PLAIN = {
    "cors": (
        "CORSConfiguration",
        {
            "CORSRules": [
                {
                    "ID": "one",
                    "AllowedHeaders": ["*"],
                    "AllowedMethods": ["GET", "PUT"],
                    "AllowedOrigins": ["https://*.example"],
                    "ExposeHeaders": ["ETag"],
                    "MaxAgeSeconds": 60,
                }
            ]
        },
        "NoSuchCORSConfiguration",
    ),
    "tagging": ("Tagging", {"TagSet": [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": ""}]}, "NoSuchTagSet"),
    "website": (
        "WebsiteConfiguration",
        {
            "ErrorDocument": {"Key": "error.html"},
            "IndexDocument": {"Suffix": "index.html"},
            "RoutingRules": [
                {"Condition": {"KeyPrefixEquals": "docs/"}, "Redirect": {"ReplaceKeyPrefixWith": "documents/"}}
            ],
        },
        "NoSuchWebsiteConfiguration",
    ),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_a_configuration_comes_back_as_it_was_put_until_it_is_deleted(client: Any, room: str, kind: str) -> None:
    argument, document, absent = PLAIN[kind]
    get, put = getattr(client, f"get_bucket_{kind}"), getattr(client, f"put_bucket_{kind}")
    with pytest.raises(ClientError) as caught:
        get(Bucket=room)
    assert code_of(caught) == absent
    put(Bucket=room, **{argument: document})
    found = {name: value for name, value in get(Bucket=room).items() if name != "ResponseMetadata"}
    assert found == document
    assert getattr(client, f"delete_bucket_{kind}")(Bucket=room)["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(ClientError) as caught:
        get(Bucket=room)
    assert code_of(caught) == absent


def test_what_a_bucket_always_has_is_told_before_it_is_put(client: Any, room: str) -> None:
    assert client.get_bucket_request_payment(Bucket=room)["Payer"] == "BucketOwner"
    client.put_bucket_request_payment(Bucket=room, RequestPaymentConfiguration={"Payer": "Requester"})
    assert client.get_bucket_request_payment(Bucket=room)["Payer"] == "Requester"
    assert "Status" not in client.get_bucket_accelerate_configuration(Bucket=room)
    client.put_bucket_accelerate_configuration(Bucket=room, AccelerateConfiguration={"Status": "Enabled"})
    assert client.get_bucket_accelerate_configuration(Bucket=room)["Status"] == "Enabled"
    assert client.get_bucket_abac(Bucket=room)["AbacStatus"]["Status"] == "Disabled"
    client.put_bucket_abac(Bucket=room, AbacStatus={"Status": "Enabled"})
    assert client.get_bucket_abac(Bucket=room)["AbacStatus"]["Status"] == "Enabled"


NAMED = {
    "analytics": (
        "AnalyticsConfiguration",
        {"Filter": {"Prefix": "p"}, "StorageClassAnalysis": {}},
    ),
    "metrics": (
        "MetricsConfiguration",
        {"Filter": {"And": {"Prefix": "p", "Tags": [{"Key": "a", "Value": "b"}]}}},
    ),
    "intelligent_tiering": (
        "IntelligentTieringConfiguration",
        {"Status": "Enabled", "Tierings": [{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}]},
    ),
}


@pytest.mark.parametrize("kind", NAMED)
def test_named_configurations_are_kept_listed_and_deleted_by_id(client: Any, room: str, kind: str) -> None:
    argument, document = NAMED[kind]
    get, put = (getattr(client, f"{verb}_bucket_{kind}_configuration") for verb in ("get", "put"))
    delete = getattr(client, f"delete_bucket_{kind}_configuration")
    listed = getattr(client, f"list_bucket_{kind}_configurations")
    for name in ("b", "a"):
        put(Bucket=room, Id=name, **{argument: {"Id": name} | document})
    assert get(Bucket=room, Id="a")[argument] == {"Id": "a"} | document
    page = listed(Bucket=room)
    assert [each["Id"] for each in page[f"{argument}List"]] == ["a", "b"]
    assert page["IsTruncated"] is False
    with pytest.raises(ClientError) as caught:
        put(Bucket=room, Id="other", **{argument: {"Id": "a"} | document})
    assert code_of(caught) == "InvalidArgument"
    delete(Bucket=room, Id="a")
    for call in (get, delete):
        with pytest.raises(ClientError) as caught:
            call(Bucket=room, Id="a")
        assert code_of(caught) == "NoSuchConfiguration"


def test_named_configurations_are_listed_by_pages_of_a_hundred(client: Any, room: str) -> None:
    names = [f"n{number:03}" for number in range(101)]
    for name in names:
        client.put_bucket_metrics_configuration(Bucket=room, Id=name, MetricsConfiguration={"Id": name})
    first = client.list_bucket_metrics_configurations(Bucket=room)
    assert (len(first["MetricsConfigurationList"]), first["IsTruncated"]) == (100, True)
    rest = client.list_bucket_metrics_configurations(Bucket=room, ContinuationToken=first["NextContinuationToken"])
    assert [each["Id"] for each in rest["MetricsConfigurationList"]] == names[100:]


def test_replication_needs_versioning_and_a_bucket_to_replicate_to(client: Any, room: str) -> None:
    def wanted(target: str) -> Any:
        destination = {"Bucket": f"arn:aws:s3:::{target}"}
        rule = {"ID": "r", "Prefix": "", "Status": "Enabled", "Destination": destination}
        return {"Role": "arn:aws:iam::111111111111:role/copier", "Rules": [rule]}

    for target in (room, "no-such-bucket-anywhere"):
        with pytest.raises(ClientError) as caught:
            client.put_bucket_replication(Bucket=room, ReplicationConfiguration=wanted(target))
        assert code_of(caught) == "InvalidRequest"
    client.put_bucket_versioning(Bucket=room, VersioningConfiguration={"Status": "Enabled"})
    client.put_bucket_replication(Bucket=room, ReplicationConfiguration=wanted(room))
    assert client.get_bucket_replication(Bucket=room)["ReplicationConfiguration"] == wanted(room)


# --- tags of objects


def test_each_version_has_tags_of_its_own(client: Any, room: str) -> None:
    client.put_bucket_versioning(Bucket=room, VersioningConfiguration={"Status": "Enabled"})
    first = client.put_object(Bucket=room, Key="k", Body=b"1", Tagging="a=1&b=%20")["VersionId"]
    second = client.put_object(Bucket=room, Key="k", Body=b"2")["VersionId"]
    put = client.put_object_tagging(Bucket=room, Key="k", Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
    assert put["VersionId"] == second
    found = client.get_object_tagging(Bucket=room, Key="k", VersionId=first)
    assert found["TagSet"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": " "}]
    assert found["VersionId"] == first
    assert client.get_object_tagging(Bucket=room, Key="k")["TagSet"] == [{"Key": "c", "Value": "3"}]
    assert client.head_object(Bucket=room, Key="k")["TagCount"] == 1
    client.delete_object_tagging(Bucket=room, Key="k", VersionId=first)
    assert client.get_object_tagging(Bucket=room, Key="k", VersionId=first)["TagSet"] == []
    marker = client.delete_object(Bucket=room, Key="k")["VersionId"]
    for version, code in (({}, "NoSuchKey"), ({"VersionId": marker}, "MethodNotAllowed")):
        for call in (client.get_object_tagging, client.delete_object_tagging):
            with pytest.raises(ClientError) as caught:
                call(Bucket=room, Key="k", **version)
            assert code_of(caught) == code


# --- other origins


def test_answers_and_refusals_alike_tell_a_page_of_an_allowed_origin(client: Any, public: Server, room: str) -> None:
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://*.example"], "ExposeHeaders": ["ETag"]}
    client.put_bucket_cors(Bucket=room, CORSConfiguration={"CORSRules": [rule]})
    put = client.put_object(Bucket=room, Key="k", Body=b"body")
    page = {"Origin": "https://a.example"}
    for path, more, status in (
        ("/k", {}, 200),
        ("/k", {"Range": "bytes=1-2"}, 206),
        ("/k", {"If-None-Match": put["ETag"]}, 304),
        ("/none", {}, 404),
    ):
        seen = browse(public, "GET", f"/{room}{path}", page | more)
        assert seen.status == status
        assert seen.headers["access-control-allow-origin"] == "https://a.example"
        assert seen.headers["access-control-expose-headers"] == "ETag"
        assert "Origin" in seen.headers["vary"]
    refused = browse(public, "PUT", f"/{room}/k", page | {"Access-Control-Request-Method": "GET"}, b"")
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (403, "https://a.example")
    stranger = browse(public, "GET", f"/{room}/k", {"Origin": "https://a.other"})
    assert "access-control-allow-origin" not in stranger.headers
    assert "vary" not in browse(public, "GET", f"/{room}/k").headers


def test_a_preflight_needs_no_signature_and_tells_strangers_nothing(client: Any, public: Server, room: str) -> None:
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}
    unknown = browse(public, "OPTIONS", "/no-such-bucket-here/k", asked)
    without = browse(public, "OPTIONS", f"/{room}/k", asked)
    assert unknown.status == without.status == 403
    assert b"CORS is not enabled for this bucket" in unknown.body
    assert b"CORS is not enabled for this bucket" in without.body
    rule = {"AllowedMethods": ["PUT"], "AllowedOrigins": ["*"], "AllowedHeaders": ["x-amz-*"], "MaxAgeSeconds": 5}
    client.put_bucket_cors(Bucket=room, CORSConfiguration={"CORSRules": [rule]})
    seen = browse(public, "OPTIONS", f"/{room}/k?uploadId=x", asked | {"Access-Control-Request-Headers": "X-Amz-Date"})
    assert seen.status == 200
    assert seen.headers["access-control-allow-origin"] == "*"
    assert seen.headers["access-control-allow-headers"] == "x-amz-date"
    assert seen.headers["access-control-max-age"] == "5"
    assert browse(public, "OPTIONS", f"/{room}/k", {"Origin": "o"}).status == 400


# --- websites


def visit(server: Server, room: str, path: str, method: str = "GET", **headers: str) -> Seen:
    return browse(server, method, path, {"Host": f"{room}.site.test"} | headers)


@pytest.fixture
def site(client: Any, room: str) -> str:
    """A room served as a website."""
    rules = [
        {"Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"ReplaceKeyPrefixWith": "new/"}},
        {
            "Condition": {"HttpErrorCodeReturnedEquals": "404", "KeyPrefixEquals": "lost/"},
            "Redirect": {
                "HostName": "other.test",
                "Protocol": "https",
                "ReplaceKeyWith": "found?x=1",
                "HttpRedirectCode": "302",
            },
        },
    ]
    website = {
        "IndexDocument": {"Suffix": "index.html"},
        "ErrorDocument": {"Key": "error.html"},
        "RoutingRules": rules,
    }
    client.put_bucket_website(Bucket=room, WebsiteConfiguration=website)
    for key in ("index.html", "folder/index.html", "page"):
        client.put_object(Bucket=room, Key=key, Body=key.encode(), ContentType="text/html")
    return room


def test_a_site_shows_pages_folders_and_redirects(client: Any, public: Server, site: str) -> None:
    client.put_object(Bucket=site, Key="moved", Body=b"", WebsiteRedirectLocation="/page")
    assert visit(public, site, "/").body == b"index.html"
    assert visit(public, site, "/page?acl").body == b"page"
    assert visit(public, site, "/folder/").body == b"folder/index.html"
    assert visit(public, site, "/page", "HEAD").headers["content-length"] == "4"
    folder = visit(public, site, "/folder")
    assert (folder.status, folder.headers["location"]) == (302, "/folder/")
    old = visit(public, site, "/old/a%20b")
    assert (old.status, old.headers["location"]) == (301, f"http://{site}.site.test/new/a%20b")
    lost = visit(public, site, "/lost/a")
    assert (lost.status, lost.headers["location"]) == (302, "https://other.test/found?x=1")
    moved = visit(public, site, "/moved")
    assert (moved.status, moved.headers["location"], moved.body) == (301, "/page", b"")
    etag = visit(public, site, "/page").headers["etag"]
    assert visit(public, site, "/page", **{"If-None-Match": etag}).status == 304


def test_a_site_shows_errors_as_pages_and_its_own_document_first(client: Any, public: Server, site: str) -> None:
    page = visit(public, site, "/<b>none")
    assert (page.status, page.headers["x-amz-error-code"]) == (404, "NoSuchKey")
    assert page.headers["content-type"].startswith("text/html")
    assert b"<li>Code: NoSuchKey</li>" in page.body
    assert b"<b>" not in page.body
    client.put_object(Bucket=site, Key="error.html", Body=b"sorry", ContentType="text/plain")
    own = visit(public, site, "/none", **{"If-Match": '"x"', "Range": "bytes=0-1"})
    assert (own.status, own.body, own.headers["content-type"]) == (404, b"sorry", "text/plain")
    assert visit(public, site, "/", "DELETE").status == 405
    assert visit(public, "no-such-bucket-here", "/").headers["x-amz-error-code"] == "NoSuchBucket"
    client.delete_bucket_website(Bucket=site)
    assert visit(public, site, "/").headers["x-amz-error-code"] == "NoSuchWebsiteConfiguration"


def test_a_site_may_send_every_visitor_elsewhere(client: Any, public: Server, room: str) -> None:
    everything = {"RedirectAllRequestsTo": {"HostName": "other.test", "Protocol": "https"}}
    client.put_bucket_website(Bucket=room, WebsiteConfiguration=everything)
    seen = visit(public, room, "/a/b")
    assert (seen.status, seen.headers["location"]) == (301, "https://other.test/a/b")


def test_a_site_shows_nothing_the_public_may_not_read(client: Any, public: Server) -> None:
    client.create_bucket(Bucket="private-site")
    client.put_bucket_website(Bucket="private-site", WebsiteConfiguration={"IndexDocument": {"Suffix": "i"}})
    client.put_object(Bucket="private-site", Key="i", Body=b"secret")
    assert visit(public, "private-site", "/").status == 403
