"""The managed policies every account has without making them. Knows their ARNs and texts only.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-iam-awsmanpol.html
"""

import json
from collections.abc import Mapping
from typing import Final

PREFIX: Final = "arn:aws:iam::aws:policy/"


def _allowing(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


BUILT_IN: Final[Mapping[str, str]] = {
    PREFIX + "AdministratorAccess": _allowing("*"),
    PREFIX + "AmazonS3FullAccess": _allowing("s3:*", "s3-object-lambda:*"),
    PREFIX + "AmazonS3ReadOnlyAccess": _allowing(
        "s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*"
    ),
    PREFIX + "IAMFullAccess": _allowing("iam:*"),
    PREFIX + "IAMReadOnlyAccess": _allowing(
        "iam:GenerateCredentialReport",
        "iam:GenerateServiceLastAccessedDetails",
        "iam:Get*",
        "iam:List*",
        "iam:SimulateCustomPolicy",
        "iam:SimulatePrincipalPolicy",
    ),
}
