"""Local AWS: the synthesized template on one machine. moto's APIs, the unmodified CDK CLI, and real compute behind the calls.

with LocalAws.start(folder) as aws:
    aws.deploy()
    aws.session().client("s3").upload_file(…)
"""

from local_aws.launcher import LocalAws, LocalAwsError
from local_aws.paths import ROOT, STATE, clean_environment

__all__ = ["ROOT", "STATE", "LocalAws", "LocalAwsError", "clean_environment"]
