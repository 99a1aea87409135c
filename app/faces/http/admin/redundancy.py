"""How redundant a bucket's chunks are. Knows a path and JSON only."""

from flask import Blueprint, Response, request

from app.core.errors import Corrupt, S3Error
from app.faces.http.admin.gate import Gate
from app.faces.http.admin.json_wire import answer
from app.services.healing.bucket_redundancy import RedundancyOfBuckets


def add(face: Blueprint, gate: Gate, redundancy: RedundancyOfBuckets) -> None:
    """GET /v1/cluster/redundancy?bucket=NAME[&after=PLACE], on a gateway's keeper: it alone knows rows and devices.

    The answer covers a bounded number of chunks; `after`, when it is not "", is what the next request goes on with.
    """

    @face.get("/v1/cluster/redundancy")
    def redundancy_of_bucket() -> Response:
        gate.admitted()
        bucket = request.args.get("bucket", "")
        if not bucket:
            raise S3Error("InvalidArgument", "bucket is missing.")
        try:
            return answer(redundancy.of(bucket, request.args.get("after", "")))
        except Corrupt as error:
            raise S3Error("InvalidArgument", str(error)) from error
