"""Objects posted by HTML forms, as browsers send them."""

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.server import Server
from tests.integration.visitor import browse

MIB = 1024 * 1024


def form(fields: Mapping[str, str], data: bytes, *after: str, boundary: str = "xYz") -> tuple[dict[str, str], bytes]:
    """Headers and body of a form; `after`: names of fields behind the file."""
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="C:\\dir\\a.txt"\r\n\r\n'
    tail = "".join(f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\nx' for name in after)
    body = "".join(parts).encode() + head.encode() + data + tail.encode() + f"\r\n--{boundary}--\r\n".encode()
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body


@pytest.mark.parametrize("size", [0, 3, 300_000, 9 * MIB])
def test_a_signed_form_stores_its_file(client: Any, signer: Any, public: Server, room: str, size: int) -> None:
    fields = {"x-amz-meta-colour": "bl\u00fce", "Content-Type": "text/x", "tagging": "<Tagging><TagSet/></Tagging>"}
    conditions: list[Any] = [{name: value} for name, value in fields.items()]
    conditions.append(["content-length-range", 0, 10 * MIB])
    version = signer if size else client
    signed = version.generate_presigned_post(room, "up/${filename}", fields, conditions)
    data = bytes(range(251)) * (size // 251) + b"z" * (size % 251)
    headers, body = form(signed["fields"], data)
    seen = browse(public, "POST", f"/{room}", headers, body)
    assert seen.status == 204, seen.body
    got = client.get_object(Bucket=room, Key="up/a.txt")
    assert got["Body"].read() == data
    assert got["ContentType"] == "text/x"
    assert seen.headers["etag"] == got["ETag"]
    assert seen.headers["location"].endswith(f"/{room}/up/a.txt")


def test_what_follows_the_file_is_ignored(client: Any, public: Server, room: str) -> None:
    signed = client.generate_presigned_post(room, "k")
    headers, body = form(signed["fields"], b"data", "submit", "acl")
    assert browse(public, "POST", f"/{room}", headers, body).status == 204
    assert client.get_object(Bucket=room, Key="k")["Body"].read() == b"data"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"key": "other"}, 403, "AccessDenied"),
        ({"x-amz-meta-extra": "1"}, 403, "AccessDenied"),
        ({"x-amz-signature": "0" * 64}, 403, "SignatureDoesNotMatch"),
        ({"x-amz-credential": "NOBODY/20260101/us-east-1/s3/aws4_request"}, 400, "InvalidArgument"),
        ({"policy": "e30="}, 403, "SignatureDoesNotMatch"),
        ({"key": ""}, 400, "InvalidArgument"),
    ],
)
def test_a_form_against_its_policy_is_refused(
    signer: Any, public: Server, room: str, change: dict[str, str], status: int, code: str
) -> None:
    signed = signer.generate_presigned_post(room, "k")
    headers, body = form(signed["fields"] | change, b"data")
    seen = browse(public, "POST", f"/{room}", headers, body)
    assert (seen.status, code.encode() in seen.body) == (status, True), seen.body
    with pytest.raises(ClientError):
        signer.head_object(Bucket=room, Key="k")


def test_a_form_may_ask_for_its_answer(client: Any, public: Server, room: str) -> None:
    for asked, status in (({"success_action_status": "201"}, 201), ({"success_action_redirect": "http://o/?a=1"}, 303)):
        signed = client.generate_presigned_post(room, "k", asked, [asked])
        headers, body = form(signed["fields"], b"data")
        seen = browse(public, "POST", f"/{room}", headers, body)
        assert seen.status == status
        etag = client.head_object(Bucket=room, Key="k")["ETag"].strip('"')
        if status == 201:
            assert f"<Bucket>{room}</Bucket><Key>k</Key><ETag>&quot;{etag}&quot;</ETag>".encode() in seen.body
        else:
            assert seen.headers["location"] == f"http://o/?a=1&bucket={room}&key=k&etag=%22{etag}%22"


def test_a_form_without_a_signature_needs_a_bucket_open_to_the_public(public: Server, room: str) -> None:
    headers, body = form({"key": "k"}, b"data")
    assert browse(public, "POST", f"/{room}", headers, body).status == 403


def test_headers_of_a_form_request_say_nothing_of_the_object(client: Any, public: Server, room: str) -> None:
    signed = client.generate_presigned_post(room, "k")
    headers, body = form(signed["fields"], b"data")
    smuggled = {"x-amz-meta-a": "b", "x-amz-storage-class": "NONE", "x-amz-website-redirect-location": "http://evil"}
    assert browse(public, "POST", f"/{room}", headers | smuggled, body).status == 204
    found = client.head_object(Bucket=room, Key="k")
    assert found["Metadata"] == {}
    assert "WebsiteRedirectLocation" not in found


def test_a_small_form_does_not_grow_large(public: Server, room: str) -> None:
    """The file's name stands for every ${filename}, of which a form may have thousands."""
    long = "f" * 9_000
    parts = f'--B\r\nContent-Disposition: form-data; name="key"\r\n\r\n{"${filename}" * 800}\r\n'
    parts += f'--B\r\nContent-Disposition: form-data; name="file"; filename="{long}"\r\n\r\nx\r\n--B--\r\n'
    seen = browse(public, "POST", f"/{room}", {"Content-Type": "multipart/form-data; boundary=B"}, parts.encode())
    assert seen.status == 400
    assert b"<Code>MaxPostPreDataLengthExceededError</Code>" in seen.body
