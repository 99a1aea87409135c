"""The storage class a bucket's STANDARD writes are kept as. Knows paths and shapes only."""

from typing import Final

from app.faces.http.admin.endpoints import SYSTEM, Asked, Endpoint, Shape
from app.services.content.bucket_profiles import BucketProfiles


class BucketProfileShape(Shape):
    """`storage_class`: "" where the bucket says nothing."""

    storage_class: str


_PROFILE: Final = "/buckets/{bucket}/profile"


def endpoints(profiles: BucketProfiles) -> list[Endpoint]:
    """Served by gateways."""

    def get(asked: Asked) -> BucketProfileShape:
        return BucketProfileShape(storage_class=profiles.get(asked.names["bucket"]))

    def put(asked: Asked) -> None:
        profiles.put(asked.names["bucket"], asked.body.storage_class)

    def delete(asked: Asked) -> None:
        profiles.delete(asked.names["bucket"])

    return [
        Endpoint(
            "GET",
            _PROFILE,
            "GetBucketProfile",
            "The class a bucket's STANDARD writes are kept as.",
            get,
            SYSTEM,
            returned=BucketProfileShape,
        ),
        Endpoint("PUT", _PROFILE, "PutBucketProfile", "Choose it.", put, SYSTEM, body=BucketProfileShape),
        Endpoint("DELETE", _PROFILE, "DeleteBucketProfile", "STANDARD is itself again.", delete, SYSTEM),
    ]
