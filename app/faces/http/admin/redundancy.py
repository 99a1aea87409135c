"""How redundant a bucket's chunks are. Knows a path and a shape only."""

from app.core.errors import Corrupt, S3Error
from app.faces.http.admin.endpoints import SYSTEM, Asked, Endpoint, Told
from app.services.healing.bucket_redundancy import RedundancyOfBuckets


def endpoints(redundancy: RedundancyOfBuckets) -> list[Endpoint]:
    """Served by a gateway's keeper: it alone knows rows and devices."""

    def get(asked: Asked) -> Told:
        bucket = asked.query.get("bucket", "")
        if not bucket:
            raise S3Error("InvalidRequest", "bucket is missing.")
        try:
            return Told(redundancy.of(bucket, asked.query.get("after", "")))
        except Corrupt as error:
            raise S3Error("InvalidRequest", str(error)) from error

    return [
        Endpoint(
            "GET",
            "/cluster/redundancy",
            "GetRedundancy",
            "How redundant a bounded number of a bucket's chunks are.",
            get,
            SYSTEM,
            returned=Told,
            query={"bucket": "its name", "after": 'go on there: what the answer before told; "" at the end'},
        )
    ]
