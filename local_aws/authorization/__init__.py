"""Decide who may do what, as AWS does: identity policies, resource policies, key policies and grants, condition by condition.

| module | |
|---|---|
| patterns | wildcards and policy variables |
| conditions | condition operators |
| condition_keys | the condition keys that local AWS understands |
| policies | policy documents, parsed once and kept |
| principals | who calls, and which principals of a statement that is |
| evaluate | the decision on one call; a pure function |
| requests | what an API request needs: actions, resources, condition keys |
| encryption | the calls to KMS that an API request implies |
| job_roles | the calls that services make with the role of a job |
| stores | the policies that moto's stores hold |
| authorizer | decides calls of the running local AWS |
| record | writes each decision to a file |
"""
