"""IAM's actions as the query room has them: every name of IAM's service model, done or refused.

Knows names only. docs/iam-coverage.md is made of this table.
"""

from collections.abc import Mapping
from typing import Final

from app.faces.http.query.answers import Values
from app.faces.http.query.form import Form
from app.faces.http.query.iam import account, groups, held, policies, providers, roles, users
from app.faces.http.query.iam.ask import Act, Ask, UseCases, unsupported
from app.faces.http.query.room import Action, Service
from app.services.call import Call
from app.services.identity.commanding import CommandRefused

_VERSION: Final = "2010-05-08"
DONE: Final[Mapping[str, Act]] = {
    **account.ACTIONS,
    **groups.ACTIONS,
    **held.ACTIONS,
    **policies.ACTIONS,
    **providers.ACTIONS,
    **roles.ACTIONS,
    **users.ACTIONS,
}
_ABSENT: Final = (
    "AcceptDelegationRequest AcquireRole AddRoleToInstanceProfile AssociateDelegationRequest "
    "ChangePassword CreateAccountAlias CreateDelegationRequest CreateInstanceProfile CreateLoginProfile "
    "CreateSAMLProvider CreateServiceLinkedRole CreateServiceSpecificCredential CreateVirtualMFADevice "
    "DeactivateMFADevice DeleteAccountAlias DeleteAccountPasswordPolicy DeleteInstanceProfile "
    "DeleteLoginProfile DeleteSAMLProvider DeleteSSHPublicKey DeleteServerCertificate "
    "DeleteServiceLinkedRole DeleteServiceSpecificCredential DeleteSigningCertificate "
    "DeleteVirtualMFADevice DisableOrganizationsRootCredentialsManagement "
    "DisableOrganizationsRootSessions DisableOutboundWebIdentityFederation EnableMFADevice "
    "EnableOrganizationsRootCredentialsManagement EnableOrganizationsRootSessions "
    "EnableOutboundWebIdentityFederation GenerateCredentialReport GenerateOrganizationsAccessReport "
    "GenerateServiceLastAccessedDetails GetAccountPasswordPolicy GetAccountProperties "
    "GetContextKeysForCustomPolicy GetContextKeysForPrincipalPolicy GetCredentialReport "
    "GetDelegationRequest GetHumanReadableSummary GetInstanceProfile GetLoginProfile GetMFADevice "
    "GetOrganizationsAccessReport GetOutboundWebIdentityFederationInfo GetRoleTemplateVersion "
    "GetSAMLProvider GetSSHPublicKey GetServerCertificate GetServiceLastAccessedDetails "
    "GetServiceLastAccessedDetailsWithEntities GetServiceLinkedRoleDeletionStatus ListDelegationRequests "
    "ListInstanceProfileTags ListInstanceProfiles ListMFADeviceTags "
    "ListMFADevices ListOrganizationsFeatures ListPoliciesGrantingServiceAccess ListSAMLProviderTags "
    "ListSAMLProviders ListSSHPublicKeys ListServerCertificateTags ListServerCertificates "
    "ListServiceSpecificCredentials ListSigningCertificates ListVirtualMFADevices PutAccountProperties "
    "RejectDelegationRequest RemoveRoleFromInstanceProfile ResetServiceSpecificCredential ResyncMFADevice "
    "SendDelegationToken SetSecurityTokenServicePreferences SimulateCustomPolicy SimulatePrincipalPolicy "
    "TagInstanceProfile TagMFADevice TagSAMLProvider TagServerCertificate UntagInstanceProfile "
    "UntagMFADevice UntagSAMLProvider UntagServerCertificate UpdateAccountPasswordPolicy "
    "UpdateDelegationRequest UpdateLoginProfile UpdateSAMLProvider UpdateSSHPublicKey "
    "UpdateServerCertificate UpdateServiceSpecificCredential UpdateSigningCertificate UploadSSHPublicKey "
    "UploadServerCertificate UploadSigningCertificate "
)
REFUSED: Final = frozenset(_ABSENT.split())
"""What IAM has and this server has not: passwords, devices, certificates, SAML, instance profiles, reports."""


def service(use: UseCases) -> Service:
    """As the query room has it."""
    acts = {**{name: unsupported(name) for name in REFUSED}, **DONE}
    actions = {name: _action(use, act) for name, act in acts.items()}
    return Service("iam", _VERSION, f"https://iam.amazonaws.com/doc/{_VERSION}/", actions)


def _action(use: UseCases, act: Act) -> Action:
    def answer(call: Call, form: Form) -> Values:
        try:
            return act(Ask(use, call, form))
        except CommandRefused as refused:
            if refused.code == "InvalidInput":
                # IAM's own name for what is malformed; the use cases have one for every face.
                raise CommandRefused("ValidationError", refused.message) from None
            raise

    return answer
