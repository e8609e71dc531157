"""The state machine of a run in Amazon States Language; the document of ptmlops_contracts/state.py grows through it.

Written as data and not as CDK's task classes: there are none for tuning and processing jobs, and those there are add
permissions of their own (the transform task attaches AmazonSageMakerFullAccess). JSONPath, because one definition must
run both on AWS and on local AWS (docs/decisions/0002-states-as-data.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3

from ptmlops_contracts.keys import RUN_PLACEHOLDER, ModelKeys, PreparedKeys, s3_uri
from ptmlops_contracts.state import CHAMPION_CHANGED, NONE, Plan, Planned
from stacks.components.code_assets import ROOT
from stacks.config import Settings
from stacks.modeling_stack import Modeling
from stacks.preparation_stack import Jobs
from stacks.storage_stack import Storage

State = dict[str, Any]
PARTITION = cdk.Aws.PARTITION

HYPERPARAMETERS = ROOT / "training" / "hyperparameters.json"
# The fields of `$.plan` as Plan returns it, and as Promote does.
PLANNED, PLAN = tuple(Planned.__annotations__), tuple(Plan.__annotations__)
# Keys of "this run", to be filled in by States.Format.
PREPARED_KEYS, MODEL_KEYS = PreparedKeys(RUN_PLACEHOLDER), ModelKeys(RUN_PLACEHOLDER)
LAMBDA_SECONDS = 300
VOLUME_GB = 30
# A job's own time-out fires first and says more; the state's is there for a job that never answers.
GRACE_SECONDS = 600
# A redrive and a retry each get a job name of their own: SageMaker never forgets one.
JOB_NAME = "States.Format('{}-{}-{}', $.run_id, $$.Execution.RedriveCount, $$.State.RetryCount)"


def run_definition(
    *,
    settings: Settings,
    storage: Storage,
    jobs: Jobs,
    modeling: Modeling,
    plan_arn: str,
    promote_arn: str,
    record_arn: str,
) -> dict[str, Any]:
    """The definition, holding CDK tokens where resources are named."""
    job_seconds = settings.compute.timeout_minutes * 60
    plan = _invoke(plan_arn, {"state.$": "$"}, result_path="$.plan", keep=PLANNED, then="Train?")
    promote = _invoke(promote_arn, {"state.$": "$"}, result_path="$.plan", keep=PLAN, then="Same champion?")
    record = _invoke(
        record_arn,
        {"state.$": "$", "execution_arn.$": "$$.Execution.Id"},
        result_path="$.record",
        keep=("status",),
        then=None,
    )
    states: dict[str, State] = {
        "Prepare": _glue_job(jobs.prepare_name, {}, result_path="$.prepare", seconds=job_seconds, then="Plan"),
        "Plan": plan,
        "Train?": {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [
                        {"Variable": "$.plan.train", "BooleanEquals": True},
                        {"Not": {"Variable": "$.plan.parent_tuning_job", "StringEquals": NONE}},
                    ],
                    "Next": "Train warm",
                },
                {"Variable": "$.plan.train", "BooleanEquals": True, "Next": "Train"},
            ],
            "Default": "Score?",
        },
        "Train": _tuning_job(settings, storage, modeling, seconds=job_seconds),
        # JSONPath cannot leave a parameter out, so a job that starts from an earlier one is a state of its own.
        "Train warm": _tuning_job(settings, storage, modeling, seconds=job_seconds, warm=True),
        "Evaluate": _processing_job(settings, storage, modeling, seconds=job_seconds),
        "Promote": promote,
        # Another run promoted its model while this one was evaluating: the candidate must beat the new champion.
        "Same champion?": {
            "Type": "Choice",
            "Choices": [
                {
                    "Variable": "$.plan.promotion.decision",
                    "StringEquals": CHAMPION_CHANGED,
                    "Next": "Evaluate",
                }
            ],
            "Default": "Score?",
        },
        "Score?": _choice("$.plan.score", yes="Score", no="Publish"),
        "Score": _transform_job(settings, storage, seconds=job_seconds),
        "Publish": _glue_job(
            jobs.publish_name,
            {
                "--model_version.$": "$.plan.champion.version",
                "--evaluation_uri.$": "$.plan.champion.evaluation_uri",
            },
            result_path="$.publish",
            seconds=job_seconds,
            then="Record",
        ),
        "Record": record,
    }
    return {
        "Comment": "From dropped complaint files to published predictions",
        "StartAt": "Prepare",
        # Each state has a limit of its own; this is for one that is tried again and again.
        "TimeoutSeconds": 2 * sum(state.get("TimeoutSeconds", 0) for state in states.values()),
        "States": states,
    }


def _retry(*errors: str, seconds: int, attempts: int, longest: int) -> State:
    """Wait longer each time, and not all at the same moment: runs that collided once would collide again."""
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": seconds,
        "BackoffRate": 2,
        "MaxAttempts": attempts,
        "MaxDelaySeconds": longest,
        "JitterStrategy": "FULL",
    }


def _invoke(
    function_arn: str, payload: Mapping[str, str], *, result_path: str, keep: Sequence[str], then: str | None
) -> State:
    return {
        "Type": "Task",
        "Resource": f"arn:{PARTITION}:states:::lambda:invoke",
        "Parameters": {"FunctionName": function_arn, "Payload": dict(payload)},
        "ResultSelector": {f"{field}.$": f"$.Payload.{field}" for field in keep},
        "ResultPath": result_path,
        "TimeoutSeconds": LAMBDA_SECONDS + 30,
        "Retry": [
            _retry(
                "Lambda.ServiceException",
                "Lambda.AWSLambdaException",
                "Lambda.SdkClientException",
                "Lambda.ClientExecutionTimeoutException",
                "Lambda.TooManyRequestsException",
                seconds=2,
                attempts=5,
                longest=60,
            )
        ],
        **({"Next": then} if then else {"End": True}),
    }


def _choice(variable: str, *, yes: str, no: str) -> State:
    return {
        "Type": "Choice",
        "Choices": [{"Variable": variable, "BooleanEquals": True, "Next": yes}],
        "Default": no,
    }


def _glue_job(name: str, arguments: Mapping[str, str], *, result_path: str, seconds: int, then: str) -> State:
    return {
        "Type": "Task",
        "Resource": f"arn:{PARTITION}:states:::glue:startJobRun.sync",
        "Parameters": {"JobName": name, "Arguments": {"--run_id.$": "$.run_id", **arguments}},
        "ResultSelector": {"JobRunId.$": "$.Id", "ExecutionTime.$": "$.ExecutionTime"},
        "ResultPath": result_path,
        "TimeoutSeconds": seconds + GRACE_SECONDS,
        "Retry": [
            _retry(
                "Glue.ConcurrentRunsExceededException",
                "Glue.ResourceNumberLimitExceededException",
                seconds=60,
                attempts=10,
                longest=900,
            ),
            _retry(
                "Glue.InternalServiceException", "Glue.OperationTimeoutException", "Glue.AWSGlueException",
                seconds=10, attempts=4, longest=120,
            ),
        ],
        "Next": then,
    }  # fmt: skip


def _sagemaker_retry() -> list[State]:
    return [
        _retry(
            "SageMaker.ResourceLimitExceeded",
            "SageMaker.ResourceLimitExceededException",
            seconds=60, attempts=10, longest=900,
        ),
        _retry("SageMaker.AmazonSageMakerException", seconds=10, attempts=4, longest=120),
    ]  # fmt: skip


def _tags(settings: Settings) -> list[dict[str, str]]:
    """The stacks' tags: a job that Step Functions starts is tagged by nobody else, and jobs are most of the bill."""
    return [{"Key": key, "Value": value} for key, value in {**settings.tags, "environment": settings.name}.items()]


def _of_run(bucket: s3.IBucket, key: str, *more: str) -> str:
    """Return the intrinsic function that fills the run's id, and the values at the paths in `more`, into a key."""
    return f"States.Format('{s3_uri(bucket.bucket_name, key)}', {', '.join(('$.run_id', *more))})"


def _s3_input(uri: object, *, data_type: str, dynamic: bool = True) -> State:
    return {
        "S3DataSource": {
            "S3DataType": data_type,
            ("S3Uri.$" if dynamic else "S3Uri"): uri,
            "S3DataDistributionType": "FullyReplicated",
        }
    }


def tuning_space(settings: Settings) -> dict[str, Any] | None:
    """What an earlier tuning job must share with one of now to be its parent: `{"objective", "static", "tuned", "environment"}`.

    None where there is nothing to start from: one job tries the defaults, random search does not learn, and the service
    documents warm start for Bayesian and random search alone.
    https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-warm-start.html
    """
    if settings.tuning.strategy != "Bayesian" or settings.tuning.max_jobs == 1:
        return None
    knobs = _knobs(settings)
    return {
        "objective": knobs["objective"]["name"],
        "static": sorted(_static_hyperparameters(settings, knobs, code_file="")),
        "tuned": {knob["name"]: knob["type"] for knob in knobs["tuned"]},
        "environment": _environment(settings),
    }


def _environment(settings: Settings) -> dict[str, str]:
    """What training jobs are told besides hyperparameters; the service refuses a parent that was told otherwise."""
    return {"PTMLOPS_MODEL_BRINGS_NUMBA": "true"} if settings.compute.numba == "models" else {}


def _knobs(settings: Settings) -> dict[str, Any]:
    """training/hyperparameters.json; where there is one job to try them, each knob's only value is its default."""
    knobs: dict[str, Any] = json.loads(HYPERPARAMETERS.read_text(encoding="utf-8"))
    if settings.tuning.max_jobs == 1:
        knobs["tuned"] = [
            {"name": knob["name"], "type": "Categorical", "values": [knob["default"]]} for knob in knobs["tuned"]
        ]
    return knobs


def _static_hyperparameters(settings: Settings, knobs: Mapping[str, Any], *, code_file: str) -> dict[str, str]:
    return {
        **{name: str(value) for name, value in knobs["static"].items()},
        "seed": str(settings.training.seed),
        "target_precision": str(settings.training.target_precision),
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": f"/opt/ml/input/data/code/{code_file}",
        "sagemaker_container_log_level": "20",
        "sagemaker_region": settings.environment.region,
    }


def _tuning_job(settings: Settings, storage: Storage, modeling: Modeling, *, seconds: int, warm: bool = False) -> State:
    knobs = _knobs(settings)
    training, tuning = settings.training, settings.tuning
    objective = {"Type": "Maximize", "MetricName": knobs["objective"]["name"]}
    # The data has grown since, so TransferLearning: the parent's results are a hint, not measurements of the same thing.
    parents = [{"HyperParameterTuningJobName.$": "$.plan.parent_tuning_job"}]
    warm_start = {"WarmStartType": "TransferLearning", "ParentHyperParameterTuningJobs": parents}
    spot = {
        "EnableManagedSpotTraining": True,
        "CheckpointConfig": {
            "S3Uri.$": _of_run(storage.models, MODEL_KEYS.checkpoints.rstrip("/")),
            "LocalPath": "/opt/ml/checkpoints",
        },
    }
    stopping = {"MaxRuntimeInSeconds": seconds}
    if training.spot:
        # Spot capacity may have to be waited for; twice the run time is what the wait may cost.
        stopping["MaxWaitTimeInSeconds"] = 2 * seconds
    channels = [
        {"ChannelName": "code", "DataSource": _s3_input(modeling.code_uri, data_type="S3Prefix", dynamic=False)},
        {"ChannelName": "train", "DataSource": _s3_input("$.plan.manifests.train", data_type="ManifestFile")},
        {
            "ChannelName": "validation",
            "DataSource": _s3_input("$.plan.manifests.validation", data_type="ManifestFile"),
        },
    ]
    return {
        "Type": "Task",
        "Resource": f"arn:{PARTITION}:states:::sagemaker:createHyperParameterTuningJob.sync",
        "Parameters": {
            "HyperParameterTuningJobName.$": JOB_NAME,
            "HyperParameterTuningJobConfig": {
                "Strategy": tuning.strategy,
                "HyperParameterTuningJobObjective": objective,
                "ResourceLimits": {
                    "MaxNumberOfTrainingJobs": tuning.max_jobs,
                    "MaxParallelTrainingJobs": tuning.max_parallel_jobs,
                },
                "ParameterRanges": _parameter_ranges(knobs["tuned"]),
                "RandomSeed": training.seed,
                # Hyperband stops jobs by a rule of its own, and refuses the other. A job that reaches MaxResource is stopped
                # before it has a model: more than how often the objective is logged, from the second fold to the end.
                **(
                    {"StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 10}}}
                    if tuning.strategy == "Hyperband"
                    else {"TrainingJobEarlyStoppingType": "Auto"}
                ),
            },
            "TrainingJobDefinition": {
                "StaticHyperParameters": _static_hyperparameters(settings, knobs, code_file=modeling.code_file),
                "AlgorithmSpecification": {
                    "TrainingImage": modeling.image_uri,
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [
                        {"Name": metric["name"], "Regex": metric["regex"]}
                        for metric in (knobs["objective"], *knobs["metrics"])
                    ],
                },
                "RoleArn": modeling.training_role.role_arn,
                "InputDataConfig": channels,
                "OutputDataConfig": {
                    "S3OutputPath.$": _of_run(storage.models, MODEL_KEYS.training.rstrip("/")),
                    "KmsKeyId": storage.key.key_arn,
                },
                "ResourceConfig": {
                    "InstanceType": settings.compute.training_instance,
                    "InstanceCount": 1,
                    "VolumeSizeInGB": VOLUME_GB,
                    "VolumeKmsKeyId": storage.key.key_arn,
                },
                "StoppingCondition": stopping,
                **({"Environment": _environment(settings)} if _environment(settings) else {}),
                "EnableNetworkIsolation": True,
                "EnableInterContainerTrafficEncryption": True,
                **(spot if training.spot else {}),
            },
            **({"WarmStartConfig": warm_start} if warm else {}),
            "Tags": _tags(settings),
        },
        "ResultSelector": {
            "tuning_job.$": "$.HyperParameterTuningJobName",
            "best_training_job.$": "$.BestTrainingJob.TrainingJobName",
            "objective.$": "$.BestTrainingJob.FinalHyperParameterTuningJobObjectiveMetric.Value",
        },
        "ResultPath": "$.training",
        # One training job after another, at the worst.
        "TimeoutSeconds": (2 if training.spot else 1) * seconds * -(-tuning.max_jobs // tuning.max_parallel_jobs)
        + GRACE_SECONDS,
        "Retry": _sagemaker_retry(),
        "Next": "Evaluate",
    }


def _parameter_ranges(tuned: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The knobs of training/hyperparameters.json in CreateHyperParameterTuningJob's form: all numbers are strings there."""
    ranges: dict[str, list[dict[str, Any]]] = {}
    for knob in tuned:
        if knob["type"] == "Categorical":
            entry = {"Name": knob["name"], "Values": [str(value) for value in knob["values"]]}
        else:
            entry = {
                "Name": knob["name"],
                "MinValue": str(knob["min"]),
                "MaxValue": str(knob["max"]),
                "ScalingType": knob.get("scaling", "Auto"),
            }
        ranges.setdefault(f"{knob['type']}ParameterRanges", []).append(entry)
    return ranges


def _processing_job(settings: Settings, storage: Storage, modeling: Modeling, *, seconds: int) -> State:
    base = "/opt/ml/processing"

    def job_input(name: str, uri: object, data_type: str = "S3Prefix", *, dynamic: bool = True) -> State:
        return {
            "InputName": name,
            "S3Input": {
                ("S3Uri.$" if dynamic else "S3Uri"): uri,
                "LocalPath": f"{base}/input/{name}",
                "S3DataType": data_type,
                "S3InputMode": "File",
                "S3DataDistributionType": "FullyReplicated",
                "S3CompressionType": "None",
            },
        }

    candidate = _of_run(storage.models, MODEL_KEYS.artifact("{}"), "$.training.best_training_job")
    return {
        "Type": "Task",
        "Resource": f"arn:{PARTITION}:states:::sagemaker:createProcessingJob.sync",
        "Parameters": {
            # The champion is part of the name: a second evaluation in the same run is one against another champion.
            "ProcessingJobName.$": (
                "States.Format('{}-{}-{}-vs-{}', "
                "$.run_id, $$.Execution.RedriveCount, $$.State.RetryCount, $.plan.champion.version)"
            ),
            "RoleArn": modeling.evaluation_role.role_arn,
            "AppSpecification": {
                "ImageUri": modeling.image_uri,
                "ContainerEntrypoint": [
                    "/bin/bash",
                    "-c",
                    f"mkdir -p {base}/code && tar -xzf {base}/input/code/*.gz -C {base}/code && "
                    f"exec python3 {base}/code/evaluate.py",
                ],
            },
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceType": settings.compute.evaluation_instance,
                    "InstanceCount": 1,
                    "VolumeSizeInGB": VOLUME_GB,
                    "VolumeKmsKeyId": storage.key.key_arn,
                }
            },
            "ProcessingInputs": [
                job_input("code", modeling.code_uri, dynamic=False),
                job_input("candidate", candidate),
                job_input("champion", "$.plan.champion.model_data_url"),
                # What the candidate learned from, which held-out rows are held against.
                job_input("train", "$.plan.manifests.train", "ManifestFile"),
                job_input("validation", "$.plan.manifests.validation", "ManifestFile"),
                job_input("test", "$.plan.manifests.test", "ManifestFile"),
                job_input("request", _of_run(storage.prepared, PREPARED_KEYS.request)),
            ],
            "ProcessingOutputConfig": {
                "KmsKeyId": storage.key.key_arn,
                "Outputs": [
                    {
                        "OutputName": "evaluation",
                        "S3Output": {
                            "S3Uri.$": _of_run(storage.models, MODEL_KEYS.evaluation),
                            "LocalPath": f"{base}/output",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ],
            },
            "NetworkConfig": {"EnableNetworkIsolation": True, "EnableInterContainerTrafficEncryption": True},
            "StoppingCondition": {"MaxRuntimeInSeconds": seconds},
            "Tags": _tags(settings),
        },
        "ResultSelector": {"processing_job.$": "$.ProcessingJobName"},
        "ResultPath": "$.evaluation",
        "TimeoutSeconds": seconds + GRACE_SECONDS,
        "Retry": _sagemaker_retry(),
        "Next": "Promote",
    }


def _transform_job(settings: Settings, storage: Storage, *, seconds: int) -> State:
    return {
        "Type": "Task",
        "Resource": f"arn:{PARTITION}:states:::sagemaker:createTransformJob.sync",
        "Parameters": {
            "TransformJobName.$": JOB_NAME,
            "ModelName.$": "$.plan.champion.model_name",
            "BatchStrategy": "MultiRecord",
            "MaxPayloadInMB": 6,
            "MaxConcurrentTransforms": 2,
            "ModelClientConfig": {"InvocationsTimeoutInSeconds": 600, "InvocationsMaxRetries": 2},
            "TransformInput": {
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri.$": _of_run(storage.prepared, PREPARED_KEYS.to_score),
                    }
                },
                "ContentType": "application/jsonlines",
                "CompressionType": "None",
                "SplitType": "Line",
            },
            "TransformOutput": {
                "S3OutputPath.$": _of_run(storage.prepared, PREPARED_KEYS.scored),
                "Accept": "application/jsonlines",
                "AssembleWith": "Line",
                "KmsKeyId": storage.key.key_arn,
            },
            "TransformResources": {
                "InstanceType": settings.compute.scoring_instance,
                "InstanceCount": settings.compute.scoring_instances,
                "VolumeKmsKeyId": storage.key.key_arn,
            },
            "Tags": _tags(settings),
        },
        "ResultSelector": {"transform_job.$": "$.TransformJobName"},
        "ResultPath": "$.scoring",
        "TimeoutSeconds": seconds + GRACE_SECONDS,
        "Retry": _sagemaker_retry(),
        "Next": "Publish",
    }
