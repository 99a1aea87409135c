"""Websites: which key a path means, where visitors are sent, and pages of errors."""

import pytest

from app.core.errors import S3Error
from app.core.s3 import website
from app.core.s3.configs.website import GRAMMAR
from app.core.s3.website import Here

HERE = Here("http", "b.site")


def site(*rules: str, index: str = "index.html") -> website.Site:
    inner = "".join(f"<RoutingRule>{rule}</RoutingRule>" for rule in rules)
    routing = f"<RoutingRules>{inner}</RoutingRules>" if rules else ""
    document = f"<IndexDocument><Suffix>{index}</Suffix></IndexDocument>{routing}"
    return website.site(GRAMMAR.canonical(f"<WebsiteConfiguration>{document}</WebsiteConfiguration>".encode()))


@pytest.mark.parametrize(
    ("key", "shown", "folder"),
    [
        ("", "index.html", ""),
        ("a", "a", "a/index.html"),
        ("a/", "a/index.html", ""),
        ("a/b", "a/b", "a/b/index.html"),
    ],
)
def test_a_folder_shows_its_index_document(key: str, shown: str, folder: str) -> None:
    assert website.index_key(site(), key) == shown
    assert website.folder_index(site(), key) == folder


def when(prefix: str = "", error: str = "") -> str:
    inner = f"<KeyPrefixEquals>{prefix}</KeyPrefixEquals>" if prefix else ""
    inner += f"<HttpErrorCodeReturnedEquals>{error}</HttpErrorCodeReturnedEquals>" if error else ""
    return f"<Condition>{inner}</Condition>" if inner else ""


def to(**elements: str) -> str:
    return "<Redirect>" + "".join(f"<{name}>{value}</{name}>" for name, value in elements.items()) + "</Redirect>"


@pytest.mark.parametrize(
    ("rule", "key", "status", "location"),
    [
        (when("old/") + to(ReplaceKeyPrefixWith="new/"), "old/a b", 301, "http://b.site/new/a%20b"),
        (when("old/") + to(ReplaceKeyPrefixWith=""), "old/a", 301, "http://b.site/a"),
        (when("old/") + to(ReplaceKeyPrefixWith="#!/"), "old/a", 301, "http://b.site/#!/a"),
        (when("old/") + to(HostName="o", Protocol="https"), "old/a", 301, "https://o/old/a"),
        (to(ReplaceKeyWith="k?x=1", HttpRedirectCode="302"), "any", 302, "http://b.site/k?x=1"),
        (to(ReplaceKeyWith="a&#10;b"), "any", 301, "http://b.site/a%0Ab"),
    ],
)
def test_a_routing_rule_says_where_a_path_is_sent(rule: str, key: str, status: int, location: str) -> None:
    assert website.redirected(site(rule), key, HERE) == (status, location)
    assert website.redirected_on_error(site(rule), key, HERE, 404) is None


def test_the_first_rule_that_fits_counts_and_errors_wait_for_theirs() -> None:
    found = site(
        when("a/", "404") + to(HostName="lost"),
        when("a/") + to(HostName="one"),
        when("a/") + to(HostName="two"),
        when(error="403") + to(HostName="denied"),
    )
    assert website.redirected(found, "a/x", HERE) == (301, "http://one/a/x")
    assert website.redirected(found, "b", HERE) is None
    assert website.redirected_on_error(found, "a/x", HERE, 404) == (301, "http://lost/a/x")
    assert website.redirected_on_error(found, "b", HERE, 404) is None
    assert website.redirected_on_error(found, "b", HERE, 403) == (301, "http://denied/b")


def test_no_path_makes_a_redirect_to_another_host() -> None:
    assert website.to_folder("a/b c") == (302, "/a/b%20c/")
    assert website.to_folder("/evil.test") == (302, "/%2Fevil.test/")
    assert website.to_folder("a\r\nb") == (302, "/a%0D%0Ab/")


def test_a_page_of_an_error_shows_no_markup_of_the_visitors() -> None:
    error = S3Error("NoSuchKey", fields={"Key": "<script>\u00fc"})
    page = website.error_page(error, "ID").decode()
    assert "<title>404 Not Found</title>" in page
    assert "<li>Key: &lt;script&gt;\u00fc</li>" in page
    assert "<li>RequestId: ID</li>" in page
    headers = dict(website.error_headers(error))
    assert headers["x-amz-error-code"] == "NoSuchKey"
    assert headers["x-amz-error-detail-Key"] == "%3Cscript%3E%C3%BC"
