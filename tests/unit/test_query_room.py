"""The query API's room: which requests are for it, whose signatures count, and how its errors are told."""

import time
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from app.core import limits
from app.core.errors import S3Error, Unavailable
from app.faces.http.query.form import is_form, read_form
from app.faces.http.query.room import QueryRoom, Service
from app.faces.http.wire import HeldBody, Request
from app.runtime.offload import Offload
from app.services.call import NOBODY
from app.services.gate.access import Access
from app.services.identity.commanding import CommandRefused
from tests.session_room import Room

FORM = "application/x-www-form-urlencoded; charset=utf-8"
VERSION = "2011-06-15"


def raising(error):
    def action(call, form):
        raise error

    return action


ACTIONS = {
    "Who": lambda call, form: {"Arn": call.caller.identity.arn, "Told": form.get("Told", ""), "Many": ["a", {"b": 1}]},
    "Open": lambda call, form: {},
    "Denied": raising(S3Error("AccessDenied", "Not you.")),
    "Refused": raising(CommandRefused("ValidationError", "Not so.")),
    "Away": raising(Unavailable("gone")),
    "Bug": raising(ZeroDivisionError()),
}


class Asked:
    """Sends requests to a room with one service."""

    def __init__(self):
        self.room = Room()
        self.room.now_ms = int(time.time() * 1000)
        self.offload = Offload(1)
        service = Service("sts", VERSION, "urn:x", ACTIONS, frozenset({"Open"}), frozenset({"Who"}))
        self.query = QueryRoom([service], Access(self.room.callers, self.offload))
        self.noted = []

    def send(self, body, headers, method="POST", target="/"):
        named = {name.lower(): value for name, value in headers.items()}
        request = Request(method, target, named, HeldBody(memoryview(body)), "", False)
        assert self.query.is_meant(request)
        response = self.query.answer(request, self.room.call_of(NOBODY), self.noted.append)
        return response.status, ElementTree.fromstring(b"".join(response.pieces))

    def sign(self, action, key="AKIAMIA", service="sts", version=VERSION, **more):
        data = urlencode({"Action": action, "Version": version, **more})
        asked = AWSRequest("POST", "http://localhost/", {"Content-Type": FORM, "Host": "localhost"}, data)
        SigV4Auth(Credentials(key, f"secret of {key}"), service, "us-east-1").add_auth(asked)
        return data.encode(), dict(asked.headers.items())

    def ask(self, action, **more):
        return self.send(*self.sign(action, **more))


@pytest.fixture
def asked():
    made = Asked()
    yield made
    made.offload.close()


def text(document, name):
    return document.findtext(f".//{{urn:x}}{name}") or document.findtext(f".//{name}")


def test_a_signed_form_is_answered_with_its_result(asked):
    status, document = asked.ask("Who", Told="<ä & b>")
    assert status == 200
    assert document.tag == "{urn:x}WhoResponse"
    assert (text(document, "Arn"), text(document, "Told")) == ("arn:aws:iam::111122223333:user/mia", "<ä & b>")
    assert [one.tag for one in document.find(".//{urn:x}Many")] == ["{urn:x}member"] * 2
    assert text(document, "RequestId") == "R"
    assert asked.noted[-1].operation == "sts:Who"
    assert asked.noted[-1].identity.caller.access_key_id == "AKIAMIA"


@pytest.mark.parametrize(
    ("action", "status", "code"),
    [
        ("Denied", 403, "AccessDenied"),
        ("Refused", 400, "ValidationError"),
        ("Away", 503, "ServiceUnavailable"),
        ("Unknown", 400, "InvalidAction"),
    ],
)
def test_a_refusal_is_told_with_its_code(asked, action, status, code):
    found, document = asked.ask(action)
    assert (found, text(document, "Code")) == (status, code)
    assert text(document, "Type") == ("Sender" if status < 500 else "Receiver")
    assert asked.noted[-1].error is not None


def test_a_refusal_that_quotes_what_xml_cannot_hold_is_readable(asked):
    assert "operation \ufffd\ufffda\ufffd for" in text(asked.ask("\0\x1ba\uffff")[1], "Message")


def test_a_bug_is_left_to_the_door(asked):
    with pytest.raises(ZeroDivisionError):
        asked.ask("Bug")


def test_a_signature_of_another_service_secret_or_body_is_refused(asked):
    assert text(asked.ask("Who", service="s3")[1], "Code") == "IncompleteSignature"
    body, headers = asked.sign("Who")
    assert text(asked.send(body + b"&Told=more", headers)[1], "Code") == "SignatureDoesNotMatch"
    unknown = {name: value.replace("AKIAMIA", "AKIAXXX") for name, value in headers.items()}
    assert text(asked.send(body, unknown)[1], "Code") == "InvalidClientTokenId"
    assert text(asked.send(body, headers | {"X-Amz-Target": "x"})[1], "Code") == "AccessDenied"
    with_hash = headers | {"Authorization": headers["Authorization"].replace("AWS4-HMAC-SHA256", "AWS")}
    assert asked.send(body, with_hash)[0] in (400, 403)


def test_nobody_may_ask_what_is_open_and_nothing_else(asked):
    for action, status in (("Open", 200), ("Who", 403)):
        body = urlencode({"Action": action, "Version": VERSION}).encode()
        found, document = asked.send(body, {"content-type": FORM})
        assert found == status
    assert text(document, "Code") == "MissingAuthenticationToken"


def test_a_url_asks_only_what_a_url_may(asked):
    for action, status in (("Who", 200), ("Denied", 403), ("Open", 403)):
        url = f"http://localhost/?{urlencode({'Action': action, 'Version': VERSION})}"
        made = AWSRequest("GET", url, {"Host": "localhost"})
        SigV4QueryAuth(Credentials("AKIAMIA", "secret of AKIAMIA"), "sts", "us-east-1").add_auth(made)
        target = made.url.removeprefix("http://localhost")
        assert asked.send(b"", {"Host": "localhost"}, "GET", target)[0] == status


def test_a_form_is_bounded_and_says_everything_once(asked):
    assert asked.send(b"a" * (limits.QUERY_BODY_BYTES_MAX + 1), {"content-type": FORM})[0] == 413
    for wrong in (b"a=1&a=2", b"a=%ff", b"&".join(b"p%d=" % n for n in range(limits.QUERY_PARAMETERS_MAX + 1))):
        with pytest.raises(S3Error):
            read_form(wrong)
    assert read_form(b"a=b+c%2B&d&&e=") == {"a": "b c+", "d": "", "e": ""}


@pytest.mark.parametrize(
    ("method", "target", "kind", "meant"),
    [
        ("POST", "/", FORM, True),
        ("POST", "/?x", FORM, True),
        ("GET", "/?Action=GetCallerIdentity&Version=1", "", True),
        ("POST", "/?Action=GetCallerIdentity", "", True),
        ("GET", "/", "", False),
        ("GET", "/?prefix=Action=x", "", False),
        ("POST", "/bucket", FORM, False),
        ("PUT", "/", FORM, False),
        ("POST", "/", "multipart/form-data; boundary=x", False),
    ],
)
def test_only_forms_to_the_root_are_for_this_room(method, target, kind, meant):
    assert is_form(method, target, kind) is meant
