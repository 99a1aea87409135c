"""Whose a new object is, and which list it may ask for, by the bucket's ownership setting."""

import pytest

from app.core.acl.requests import requested
from app.core.errors import S3Error
from app.services.gate.directory import Directory
from app.services.gate.ownership import Ownership
from tests.unit.test_guard import ENFORCED, OTHER, OWNER, PREFERRED, WRITER, Accounts, bucket, call

OWNERSHIP = Ownership(Directory(Accounts()))


def asked(caller, ownership, canned):
    """(owner, list) of an object written with a canned list, or the code it is refused with."""
    try:
        return OWNERSHIP.of_object(call(caller), bucket(ownership), requested({"x-amz-acl": canned}))
    except S3Error as error:
        return error.code


@pytest.mark.parametrize("canned", ["private", "bucket-owner-full-control"])
def test_a_list_that_says_what_is_true_anyway_is_taken_where_lists_do_not_count(canned):
    assert asked(OWNER, ENFORCED, canned) == (OWNER.canonical_id, "")


@pytest.mark.parametrize(("caller", "canned"), [(OTHER, "private"), (OTHER, "public-read"), (OWNER, "public-read")])
def test_any_other_is_refused_there(caller, canned):
    assert asked(caller, ENFORCED, canned) == "AccessControlListNotSupported"


def test_what_another_account_writes_is_the_bucket_owners_where_he_is_preferred_and_given_it():
    assert asked(OTHER, PREFERRED, "bucket-owner-full-control") == (OWNER.canonical_id, "")
    assert asked(OTHER, PREFERRED, "private")[0] == OTHER.canonical_id
    assert asked(OTHER, WRITER, "bucket-owner-full-control")[0] == OTHER.canonical_id
