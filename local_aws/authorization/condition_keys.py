"""The condition keys that local AWS understands: those that it sets, and those that no call to it can have.

A key that is not here denies, because nobody knows whether AWS would set it.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Container

# Set for the calls that have them.
SET = {
    "aws:currenttime", "aws:epochtime", "aws:principalaccount", "aws:principalarn", "aws:principalisawsservice",
    "aws:principalservicename", "aws:principaltype", "aws:requestedregion", "aws:resourceaccount", "aws:securetransport",
    "aws:sourceaccount", "aws:sourcearn", "aws:sourceip", "aws:sourceowner", "aws:tagkeys", "aws:useragent", "aws:userid", "aws:username",
    "aws:viaawsservice", "cloudwatch:namespace", "dynamodb:leadingkeys", "iam:passedtoservice", "kms:calleraccount",
    "kms:grantisforawsresource", "kms:viaservice", "s3:delimiter", "s3:max-keys", "s3:prefix", "s3:tlsversion", "s3:versionid",
    "s3:x-amz-acl", "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "lambda:functionarn",
}  # fmt: skip
# Set, with a name behind them.
SET_PREFIXES = ("aws:requesttag/", "kms:encryptioncontext:")
# Set for resources whose tags local AWS knows. A context holds TAGS_KNOWN if it does, even for a resource without tags.
RESOURCE_TAGS, TAGS_KNOWN = "aws:resourcetag/", "local:resource-tags-known"
# Never set: local AWS has no organization, no VPC, no multi-factor authentication and no sessions of federated users.
ABSENT = {
    "aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "aws:federatedprovider", "aws:multifactorauthage",
    "aws:multifactorauthpresent", "aws:principalorgid", "aws:principalorgpaths", "aws:referer", "aws:resourceorgid",
    "aws:resourceorgpaths", "aws:sourceidentity", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourcevpc", "aws:sourcevpce",
    "aws:sourcevpcarn", "aws:vpcsourceip", "kms:encryptioncontextkeys", "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
}  # fmt: skip
ABSENT_PREFIXES = ("aws:principaltag/",)


def is_known(key: str, context: Container[str]) -> bool:
    """Return whether local AWS can say which value the key has for a call with this context, or that it has none."""
    folded = key.lower()
    if folded.startswith(RESOURCE_TAGS):
        return TAGS_KNOWN in context
    return folded in SET or folded in ABSENT or folded.startswith((*SET_PREFIXES, *ABSENT_PREFIXES))
