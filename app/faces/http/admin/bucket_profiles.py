"""The storage class a bucket's STANDARD writes are kept as. Knows paths and JSON only."""

from typing import Final

from flask import Blueprint, Response

from app.faces.http.admin.gate import Gate
from app.faces.http.admin.json_wire import answer, done, needed
from app.services.content.bucket_profiles import BucketProfiles

_PROFILE: Final = "/v1/buckets/<bucket>/profile"


def add(face: Blueprint, gate: Gate, profiles: BucketProfiles) -> None:
    """The routes. Body and answer: {"storage_class": NAME}; "" where the bucket says nothing."""

    @face.get(_PROFILE)
    def bucket_profile(bucket: str) -> Response:
        gate.admitted()
        return answer({"storage_class": profiles.get(bucket)})

    @face.put(_PROFILE)
    def set_bucket_profile(bucket: str) -> Response:
        profiles.put(bucket, needed(gate.admitted(), "storage_class", str))
        return done()

    @face.delete(_PROFILE)
    def unset_bucket_profile(bucket: str) -> Response:
        gate.admitted()
        profiles.delete(bucket)
        return done()
