"""STS's actions: forms to use cases, credentials to documents.

Knows STS's parameter and element names. Must not know who may have what, nor how forms travel. Source:
https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html; AssumeRoleWithLDAPIdentity as MinIO names it.
"""

import re
from typing import Final

from app.core import limits
from app.core.s3.times import iso_time
from app.faces.http.query.answers import Values
from app.faces.http.query.form import Form, leaves_out
from app.faces.http.query.room import Service
from app.services.call import Call
from app.services.identity.commanding import CommandRefused
from app.services.identity.federation import DirectoryLogins, WebLogins
from app.services.identity.issuing import Issued
from app.services.identity.sessions import Sessions, Wanted

_VERSION: Final = "2011-06-15"
_UNSIGNED: Final = frozenset({"AssumeRoleWithWebIdentity", "AssumeRoleWithLDAPIdentity"})
"""Asked by strangers: what they bring besides is their proof."""
_PRESIGNED: Final = frozenset({"GetCallerIdentity"})
"""A URL of it proves to somebody else who one is."""
_DIGITS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


class StsActions:
    """One per process. Raises CommandRefused, S3Error, Unavailable."""

    def __init__(self, sessions: Sessions, web: WebLogins, directory: DirectoryLogins) -> None:
        self._sessions = sessions
        self._web = web
        self._directory = directory

    def service(self) -> Service:
        """As the query room has it."""
        actions = {
            "AssumeRole": self.assume_role,
            "AssumeRoleWithLDAPIdentity": self.assume_role_with_ldap_identity,
            "AssumeRoleWithWebIdentity": self.assume_role_with_web_identity,
            "DecodeAuthorizationMessage": self.decode_authorization_message,
            "GetAccessKeyInfo": self.get_access_key_info,
            "GetCallerIdentity": self.get_caller_identity,
            "GetFederationToken": self.get_federation_token,
            "GetSessionToken": self.get_session_token,
        }
        return Service("sts", _VERSION, f"https://sts.amazonaws.com/doc/{_VERSION}/", actions, _UNSIGNED, _PRESIGNED)

    def get_caller_identity(self, call: Call, _: Form) -> Values:
        """https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""
        found = self._sessions.caller_identity(call)
        return {"Arn": found.arn, "UserId": found.user_id, "Account": found.account_id}

    def get_access_key_info(self, call: Call, form: Form) -> Values:
        """https://docs.aws.amazon.com/STS/latest/APIReference/API_GetAccessKeyInfo.html"""
        return {"Account": self._sessions.account_of_key(call, _needed(form, "AccessKeyId"))}

    def assume_role(self, call: Call, form: Form) -> Values:
        """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html"""
        wanted = _wanted(form, "RoleSessionName")
        issued = self._sessions.assume_role(call, _needed(form, "RoleArn"), wanted)
        return _of_role(issued)

    def get_session_token(self, call: Call, form: Form) -> Values:
        """https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html"""
        _refuse_mfa(form)
        return _credentials(self._sessions.session_token(call, _seconds(form)))

    def get_federation_token(self, call: Call, form: Form) -> Values:
        """https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html"""
        issued = self._sessions.federation_token(call, _wanted(form, "Name"))
        user = {"FederatedUserId": issued.unique_id, "Arn": issued.arn}
        return {**_credentials(issued), "FederatedUser": user, "PackedPolicySize": issued.packed_percent}

    def assume_role_with_web_identity(self, call: Call, form: Form) -> Values:
        """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html"""
        token = _needed(form, "WebIdentityToken")
        found = self._web.assume_role(call, _needed(form, "RoleArn"), token, _wanted(form, "RoleSessionName"))
        told = {"SubjectFromWebIdentityToken": found.subject, "Audience": found.audience, "Provider": found.provider}
        return {**_of_role(found.issued), **told}

    def assume_role_with_ldap_identity(self, call: Call, form: Form) -> Values:
        """MinIO's names: LDAPUsername, LDAPPassword, Policy, DurationSeconds."""
        wanted = Wanted(policy=form.get("Policy", ""), seconds=_seconds(form))
        username, password = _needed(form, "LDAPUsername"), _needed(form, "LDAPPassword")
        return _of_role(self._directory.assume_role(call, username, password, wanted))

    def decode_authorization_message(self, _: Call, __: Form) -> Values:
        """Nothing here is encoded: who may know why they were denied is told at once."""
        raise CommandRefused("InvalidAuthorizationMessageException", "Messages are not encoded here: read them.")


def _wanted(form: Form, name: str) -> Wanted:
    _refuse_mfa(form)
    return Wanted(
        name=_needed(form, name),
        policy=form.get("Policy", ""),
        policy_arns=tuple(entry["arn"] for entry in _members(form, "PolicyArns", "arn")),
        tags=_tags(form),
        transitive=tuple(entry[""] for entry in _members(form, "TransitiveTagKeys", "")),
        source_identity=form.get("SourceIdentity", ""),
        external_id=form.get("ExternalId", ""),
        seconds=_seconds(form),
    )


def _tags(form: Form) -> dict[str, str]:
    entries = _members(form, "Tags", "Key", "Value")
    tags = {entry["Key"]: entry["Value"] for entry in entries}
    if len(tags) < len(entries):
        raise CommandRefused("ValidationError", "A tag was given twice.")
    return tags


def _members(form: Form, name: str, *fields: str) -> list[dict[str, str]]:
    """`Tags.member.1.Key` … as values, one of each member; fields that are missing are "". A field "" is the member
    itself. Raises CommandRefused for members that are not numbered from 1 on."""
    found, read = [], set[str]()
    for number in range(1, limits.ENTITY_TAGS_MAX + 2):
        names = {field: f"{name}.member.{number}" + (f".{field}" if field else "") for field in fields}
        if not any(one in form for one in names.values()):
            break
        found.append({field: form.get(one, "") for field, one in names.items()})
        read.update(names.values())
    if leaves_out(form, name, read):
        raise CommandRefused("ValidationError", f"{name} is a list whose members are numbered from 1 on.")
    return found


def _refuse_mfa(form: Form) -> None:
    """There are no such devices here; who asks for one must not believe it was looked at."""
    if form.get("SerialNumber") or form.get("TokenCode"):
        raise CommandRefused("ValidationError", "Multi-factor authentication is not implemented by this server.")


def _seconds(form: Form) -> int | None:
    text = form.get("DurationSeconds")
    if text is None:
        return None
    if not _DIGITS.fullmatch(text):
        raise CommandRefused("ValidationError", "DurationSeconds must be a number.")
    return int(text)


def _needed(form: Form, name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise CommandRefused("ValidationError", f"1 validation error detected: Value at '{name}' must not be null")
    return value


def _credentials(issued: Issued) -> Values:
    session = issued.session
    return {
        "Credentials": {
            "AccessKeyId": session.access_key,
            "SecretAccessKey": session.secret,
            "SessionToken": issued.token,
            "Expiration": iso_time(session.expires_ms),
        }
    }


def _of_role(issued: Issued) -> Values:
    user = {"AssumedRoleId": issued.unique_id, "Arn": issued.arn}
    told = {"SourceIdentity": issued.session.source_identity} if issued.session.source_identity else {}
    return {**_credentials(issued), "AssumedRoleUser": user, "PackedPolicySize": issued.packed_percent, **told}
