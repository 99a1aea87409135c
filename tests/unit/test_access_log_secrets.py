"""What an access log tells of a request's target: nothing a reader of the log could use."""

import pytest

from app.core.s3.operation import Operation
from app.faces.http.exchange import Details
from app.faces.http.wire import InputBody, Request
from app.services.gate.access import ANONYMOUS


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("X-Amz-Signature=abc&X-Amz-Expires=9", "X-Amz-Signature=-&X-Amz-Expires=9"),
        ("AWSAccessKeyId=AK&Signature=a%2Fb%3D&Expires=1", "AWSAccessKeyId=AK&Signature=-&Expires=1"),
        ("x-amz-security-token=t", "x-amz-security-token=-"),
        (
            "x-amz-server-side-encryption-customer-key=a2V5&x-amz-server-side-encryption-customer-key-MD5=bQ",
            "x-amz-server-side-encryption-customer-key=-&x-amz-server-side-encryption-customer-key-MD5=-",
        ),
        (
            "x-amz-copy-source-server-side-encryption-customer-key=a2V5",
            "x-amz-copy-source-server-side-encryption-customer-key=-",
        ),
        ("x-amz-server-side-encryption-customer-%6Bey=a2V5", "x-amz-server-side-encryption-customer-%6Bey=-"),
        ("X-Amz-Si%67nature=abc&a=b", "X-Amz-Si%67nature=-&a=b"),
        ("prefix=Signature&x-amz-server-side-encryption-customer-algorithm=AES256",) * 2,
    ],
)
def test_no_signature_and_no_key_stands_in_an_access_log(query: str, told: str) -> None:
    request = Request("GET", f"/bucket/k?{query}", {}, InputBody(None, 0), "192.0.2.1", False)
    details = Details.of(request, Operation("GetObject", "bucket", b"k", {}), ANONYMOUS, "")
    assert details.target == f"/bucket/k?{told}"
