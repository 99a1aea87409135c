"""Access control lists, object ownership and public access blocks as values and as documents."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.acl import documents, grants, requests, settings
from app.core.acl.grants import FULL_CONTROL, PERMISSIONS, READ, READ_ACP, WRITE, Grant, Grantee
from app.core.errors import S3Error
from app.core.types import Bucket

OWNER, OTHER = "a" * 64, "b" * 64
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def test_the_owner_alone_is_the_empty_text():
    assert grants.encode([Grant(OWNER, FULL_CONTROL)], OWNER) == ""
    assert grants.decode("", OWNER) == (Grant(OWNER, FULL_CONTROL),)


def test_a_list_that_grants_nothing_is_not_the_owners():
    assert grants.decode(grants.encode([], OWNER), OWNER) == ()


@given(st.lists(st.builds(Grant, st.sampled_from([OWNER, OTHER, *grants.URI_OF_GROUP]), st.sampled_from(PERMISSIONS))))
def test_a_list_comes_back_from_its_text_groups_first(given):
    found = grants.decode(grants.encode(given, OWNER), OWNER)
    assert set(found) == set(given)
    assert len(found) == len(set(given))
    groups = [grant.grantee.startswith("@") for grant in found]
    assert groups == sorted(groups, reverse=True)


@given(st.text(max_size=40))
def test_a_text_that_is_none_grants_nothing(text):
    for grantee, permission in grants.decode(text, OWNER):
        assert permission in PERMISSIONS
        assert text == "" or permission == grants._PERMISSIONS[text[text.index(grantee) - 1]] or grantee == ""


@pytest.mark.parametrize(
    ("canned", "everybody", "known", "other"),
    [
        ("private", "", "", ""),
        ("public-read", "r", "r", "r"),
        ("public-read-write", "rw", "rw", "rw"),
        ("authenticated-read", "", "r", "r"),
        ("aws-exec-read", "", "", ""),
        ("bucket-owner-read", "", "", "r"),
        ("bucket-owner-full-control", "", "", "rwa"),
        ("log-delivery-write", "", "", ""),
    ],
)
def test_a_canned_list_says_what_its_name_does(canned, everybody, known, other):
    found = grants.canned(canned, OWNER, OTHER)
    letters = {"r": READ, "w": WRITE, "a": READ_ACP}

    def of(canonical_id):
        may = (letter for letter, permission in letters.items())
        return "".join(one for one in may if grants.permits(found, letters[one], Grantee(canonical_id)))

    assert (of(""), of("c" * 64), of(OTHER)) == (everybody, known, other)
    assert of(OWNER) == "rwa"


def test_ignored_public_grants_leave_personal_ones():
    found = (Grant(grants.ALL_USERS, READ), Grant(grants.AUTHENTICATED_USERS, READ), Grant(OTHER, READ_ACP))
    assert not grants.permits(found, READ, Grantee(OTHER, public=False))
    assert grants.permits(found, READ_ACP, Grantee(OTHER, public=False))


def test_nobody_is_no_account_however_the_list_is_written():
    assert not grants.permits((Grant("", FULL_CONTROL),), READ, Grantee(""))


def test_headers_ask_for_nothing_when_none_of_theirs_is_there():
    assert requests.requested({"content-type": "text/plain", "x-amz-meta-acl": "x"}) is None


def test_grant_headers_are_read_with_and_without_quotes():
    found = requests.requested({"x-amz-grant-read": f'id="{OWNER}", uri=http://x/y,emailAddress="a@b.c"'})
    assert found is not None
    assert [one[:2] for one in found.asked] == [("id", OWNER), ("uri", "http://x/y"), ("email", "a@b.c")]
    assert {one.permission for one in found.asked} == {READ}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-acl": "public"}, "InvalidArgument"),
        ({"x-amz-acl": ""}, "InvalidArgument"),
        ({"x-amz-acl": "private", "x-amz-grant-read": "id=x"}, "InvalidRequest"),
        ({"x-amz-grant-read": "x"}, "InvalidArgument"),
        ({"x-amz-grant-read": "name=x"}, "InvalidArgument"),
        ({"x-amz-grant-read": "id="}, "InvalidArgument"),
        ({"x-amz-grant-read": ""}, "InvalidArgument"),
        ({"x-amz-grant-read": ",".join(f"id={n}" for n in range(101))}, "InvalidRequest"),
    ],
)
def test_headers_that_ask_wrongly_are_refused(headers, code):
    with pytest.raises(S3Error) as error:
        requests.requested(headers)
    assert error.value.code == code


def test_a_document_comes_back_as_it_was_written():
    found = (Grant(grants.ALL_USERS, READ), Grant(OTHER, WRITE), Grant(OWNER, FULL_CONTROL))
    text = documents.written(OWNER, found, lambda canonical_id: "<name>")
    assert b"&lt;name&gt;" in text
    asked = documents.asked(text)
    assert asked.owner == OWNER
    assert [one.permission for one in asked.asked] == [READ, WRITE, FULL_CONTROL]
    assert [one.kind for one in asked.asked] == ["uri", "id", "id"]


GRANT = f'<Grant><Grantee {XSI} xsi:type="CanonicalUser"><ID>x</ID></Grantee><Permission>READ</Permission></Grant>'
OWNED = "<Owner><ID>x</ID></Owner>"


@pytest.mark.parametrize(
    "inner",
    [
        "",
        "<AccessControlList/>",
        OWNED + OWNED,
        OWNED + "<Other/>",
        OWNED + "<AccessControlList><Other/></AccessControlList>",
        OWNED + f"<AccessControlList>{GRANT.replace('READ', 'LIST')}</AccessControlList>",
        OWNED + f"<AccessControlList>{GRANT.replace('CanonicalUser', 'Anybody')}</AccessControlList>",
        OWNED + f"<AccessControlList>{GRANT.replace('<ID>x</ID>', '<URI>x</URI>')}</AccessControlList>",
        OWNED + f"<AccessControlList>{GRANT.replace('<ID>x</ID>', '')}</AccessControlList>",
        OWNED + f"<AccessControlList>{GRANT.replace('<Permission>READ</Permission>', '')}</AccessControlList>",
        OWNED + "<AccessControlList><Grant/></AccessControlList>",
    ],
)
def test_a_document_with_anything_unknown_is_malformed(inner):
    with pytest.raises(S3Error) as error:
        documents.asked(f"<AccessControlPolicy>{inner}</AccessControlPolicy>".encode())
    assert error.value.code == "MalformedACLError"


PIECES = [
    "<AccessControlPolicy>",
    "</AccessControlPolicy>",
    OWNED,
    "<AccessControlList>",
    "</AccessControlList>",
    GRANT,
]
PIECES += ["<Rule>", "</Rule>", "<OwnershipControls>", "</OwnershipControls>", "<ObjectOwnership>x</ObjectOwnership>"]
PIECES += [
    "<PublicAccessBlockConfiguration>",
    "</PublicAccessBlockConfiguration>",
    "<BlockPublicAcls>true",
    "<!DOCTYPE x>",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=12).map("".join) | st.binary(max_size=60))
def test_no_document_is_a_bug(text):
    document = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    for parse in (documents.asked, settings.ownership_asked, settings.block_asked):
        with suppress(S3Error):
            parse(document)


def bucket(**configs):
    return Bucket(b"", "bucket", OWNER, 0, configs=configs)


def test_without_ownership_controls_the_writer_owns_and_unreadable_ones_close():
    assert settings.ownership_of(bucket()) == settings.WRITER
    for ownership in settings.OWNERSHIPS:
        document = settings.ownership_document(ownership)
        assert settings.ownership_asked(document) == ownership
        assert settings.ownership_of(bucket(ownershipControls=document)) == ownership
    assert settings.ownership_of(bucket(ownershipControls=b"<junk/>")) == settings.ENFORCED


def test_without_a_block_nothing_is_blocked_and_an_unreadable_one_closes():
    assert settings.block_of(bucket()) == settings.OPEN
    one = settings.PublicAccessBlock(policy=True)
    assert settings.block_of(bucket(publicAccessBlock=settings.block_document(one))) == one
    assert settings.block_of(bucket(publicAccessBlock=b"<junk/>")) == settings.CLOSED
