"""Handlers of the policy of a bucket.

Knows S3's wire forms of it. Must not know the language of policies (core/policy) or what a use case does.
"""

from app.core import limits
from app.core.s3.xml import Writer
from app.faces.http.exchange import Exchange
from app.faces.http.s3 import answers
from app.faces.http.s3.acls import place_of
from app.faces.http.wire import Response
from app.services.gate.bucket_policies import BucketPolicies


class PolicyHandlers:
    """The policy is answered as it was put."""

    def __init__(self, policies: BucketPolicies) -> None:
        self._policies = policies

    def get_bucket_policy(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html"""
        text = self._policies.get(exchange.call, place_of(exchange))
        return Response(200, [("Content-Type", "application/json")], (text,), len(text))

    def put_bucket_policy(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html"""
        agreed = exchange.headers.get("x-amz-confirm-remove-self-bucket-access", "").lower() == "true"
        self._policies.put(
            exchange.call,
            place_of(exchange),
            lambda: exchange.document(limits.BUCKET_POLICY_BYTES_MAX),
            lock_out=agreed,
        )
        return answers.no_content()

    def delete_bucket_policy(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html"""
        self._policies.delete(exchange.call, place_of(exchange))
        return answers.no_content()

    def get_bucket_policy_status(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html"""
        writer = Writer("PolicyStatus")
        writer.flag("IsPublic", self._policies.is_public(exchange.call, place_of(exchange)))
        return answers.document(writer)
