"""The two Glue jobs: Prepare (files → clean records) and Publish (predictions → what people use)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from ptmlops_contracts.keys import EVALUATIONS, LABELLED, PUBLISHED_FOLDERS, REJECTED, RUNS
from ptmlops_contracts.logs import JOB_LOG_GROUPS
from stacks.components.code_assets import ROOT, glue_modules, glue_wheels, text_asset, zip_archive
from stacks.components.common import EnvironmentStack, acknowledge, allow
from stacks.config import Settings, SettingsError
from stacks.storage_stack import Storage

GLUE_JOBS = ROOT / "glue_jobs"


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """The names of the Glue jobs, for the state machine and the alarms."""

    prepare_name: str
    prepare_arn: str
    publish_name: str
    publish_arn: str
    log_groups: Mapping[str, logs.ILogGroup]


class PreparationStack(EnvironmentStack):
    """Spark jobs, a role for each, and the security configuration that encrypts what they log."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, env: cdk.Environment, storage: Storage
    ) -> None:
        super().__init__(scope, construct_id, settings=settings, env=env)
        self._storage = storage
        self._settings_asset = text_asset(self, "Settings", name="settings.json", content=settings.job_settings())
        kms, key_arn = "SSE-KMS", storage.key.key_arn
        security = glue.CfnSecurityConfiguration
        self._security = glue.CfnSecurityConfiguration(
            self,
            "Security",
            name=f"{settings.prefix}-glue",
            encryption_configuration=security.EncryptionConfigurationProperty(
                cloud_watch_encryption=security.CloudWatchEncryptionProperty(
                    cloud_watch_encryption_mode=kms, kms_key_arn=key_arn
                ),
                job_bookmarks_encryption=security.JobBookmarksEncryptionProperty(
                    job_bookmarks_encryption_mode="CSE-KMS", kms_key_arn=key_arn
                ),
                s3_encryptions=[security.S3EncryptionProperty(s3_encryption_mode=kms, kms_key_arn=key_arn)],
            ),
        )
        self._log_groups: dict[str, logs.ILogGroup] = {}
        self._modules = glue_modules(self, "PythonModules", file_assets=self.file_assets, wheels=self._wheels())
        self._library = zip_archive(self, "Library", folder=GLUE_JOBS, packages=["complaints_etl"])
        prepare = self._create_job(
            "Prepare",
            script="prepare_complaints.py",
            arguments={
                "--prepared_bucket": storage.prepared.bucket_name,
                "--output_bucket": storage.output.bucket_name,
                "--model_package_group": storage.package_group_name,
            },
            # Of the raw bucket only versions: a run reads what was uploaded, not what lies there now.
            # The evaluation of the serving model has the labels that it knows.
            reads=[(storage.prepared, "*"), (storage.models, f"{EVALUATIONS}*")],
            reads_versions=[storage.raw.arn_for_objects("*")],
            reads_registry=True,
            # People get the rejected rows of a run that is refused, and nothing else from this job.
            writes=[(storage.prepared, f"{RUNS}*"), (storage.prepared, f"{LABELLED}*"), (storage.output, f"{REJECTED}*")],
        )
        published = [(storage.output, f"{folder}*") for folder in PUBLISHED_FOLDERS]
        publish = self._create_job(
            "Publish",
            script="publish_predictions.py",
            arguments={
                "--prepared_bucket": storage.prepared.bucket_name,
                "--models_bucket": storage.models.bucket_name,
                "--output_bucket": storage.output.bucket_name,
            },
            # The whole output bucket, because S3A asks for each parent of a folder as if it were an object.
            reads=[(storage.prepared, f"{RUNS}*"), (storage.models, f"{EVALUATIONS}*"), (storage.output, "*")],
            writes=[*published, (storage.prepared, f"{RUNS}*")],
        )
        self.outputs = Jobs(
            prepare_name=prepare.ref,
            prepare_arn=self.format_arn(service="glue", resource="job", resource_name=prepare.ref),
            publish_name=publish.ref,
            publish_arn=self.format_arn(service="glue", resource="job", resource_name=publish.ref),
            log_groups=self._log_groups,
        )
        groups = {unit: group.log_group_name for unit, group in self._log_groups.items()}
        self.output(JOB_LOG_GROUPS, self.to_json_string(groups))
        self.output("PrepareJobName", prepare.ref)
        self.output("PublishJobName", publish.ref)

    def _wheels(self) -> list[Path]:
        """Return the wheels of the jobs' Python modules. Local AWS has the modules installed and can do without the wheels."""
        try:
            return glue_wheels()
        except SettingsError as error:
            if self.settings.name != "local":
                raise
            print(f"The Glue jobs' archive holds no wheels, which only local AWS accepts: {error}", file=sys.stderr)  # noqa: T201
            return []

    def _create_job(
        self,
        name: str,
        *,
        script: str,
        arguments: Mapping[str, str],
        reads: Sequence[tuple[s3.IBucket, str]],
        writes: Sequence[tuple[s3.IBucket, str]],
        reads_versions: Sequence[str] = (),
        reads_registry: bool = False,
    ) -> glue.CfnJob:
        settings, key = self.settings, self._storage.key
        role = iam.Role(self, f"{name}Role", assumed_by=iam.ServicePrincipal("glue.amazonaws.com"))
        # The names are Glue's with a security configuration. The template creates the groups to give them a key and a retention.
        for stream in ("error", "output"):
            group = self.log_group(
                self,
                f"{name}{stream.title()}",
                key=key,
                name=f"/aws-glue/jobs/{self._security.ref}-role/{role.role_name}/{stream}",
            )
            self._log_groups[name.lower() if stream == "output" else f"{name.lower()} (errors)"] = group
        source = assets.Asset(self, f"{name}Script", path=str(GLUE_JOBS / script))
        job = glue.CfnJob(
            self,
            name,
            role=role.role_arn,
            description=f"PTMLops ({settings.name}): {name}",
            command=glue.CfnJob.JobCommandProperty(name="glueetl", python_version="3", script_location=source.s3_object_url),
            glue_version="5.1",
            worker_type=settings.compute.prepare_worker,
            number_of_workers=settings.compute.prepare_workers,
            # One more than the slots, for a run that a person redrives. Further ones wait in Glue's queue, as they do for capacity.
            execution_property=glue.CfnJob.ExecutionPropertyProperty(max_concurrent_runs=settings.arrivals.max_running + 1),
            job_run_queuing_enabled=True,
            max_retries=0,  # the queue requires it; and the state machine retries
            timeout=settings.compute.timeout_minutes,
            security_configuration=self._security.ref,
            default_arguments={
                **arguments,
                "--settings_uri": self._settings_asset.s3_object_url,
                "--extra-py-files": self._library.s3_object_url,
                "--additional-python-modules": self._modules,
                # pip may use the archive only: a job that starts fetches nothing from the internet.
                "--python-modules-installer-option": "--no-index --no-deps",
                "--job-language": "python",
                "--enable-auto-scaling": "true",
                # S3A's default region is us-east-2. Glue accepts one --conf argument: append further settings to its value, as in
                # "a=b --conf c=d".
                "--conf": f"spark.hadoop.fs.s3a.endpoint.region={self.region}",
            },
        )
        allow(role, "Code", ["s3:GetObject"], [self.assets_arn(source.bucket)])
        objects = [bucket.arn_for_objects(pattern) for bucket, pattern in reads]
        allow(role, "Read", ["s3:GetObject"], objects)
        if reads_versions:
            allow(role, "ReadVersions", ["s3:GetObjectVersion"], reads_versions)
        if reads_registry:
            packages = self.sagemaker_arn("model-package", f"{self._storage.package_group_name}/*")
            allow(role, "Registry", ["sagemaker:ListModelPackages"], ["*"])
            allow(role, "Packages", ["sagemaker:DescribeModelPackage"], [packages])
        allow(
            role,
            "List",
            ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
            sorted({bucket.bucket_arn for bucket, _ in reads}),
        )
        targets = [bucket.arn_for_objects(pattern) for bucket, pattern in writes]
        parts_of_uploads = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        allow(role, "Write", ["s3:PutObject", "s3:DeleteObject", *parts_of_uploads], targets)
        allow(role, "Key", ["kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt"], [key.key_arn])
        allow(
            role,
            "Logs",
            ["logs:CreateLogStream", "logs:PutLogEvents", "logs:AssociateKmsKey", "logs:CreateLogGroup"],
            [
                # A pattern, because the documents disagree about the groups' names, and a job that may not log does not start.
                self.format_arn(
                    service="logs",
                    resource="log-group",
                    resource_name="/aws-glue/jobs*",
                    arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                ),
            ],
        )
        acknowledge(
            role,
            "AwsSolutions-IAM5",
            "objects under fixed prefixes of our own buckets; this environment's assets; log groups under Glue's own prefix; "
            "versions of our own model packages; ListModelPackages takes no resource",
        )
        return job
