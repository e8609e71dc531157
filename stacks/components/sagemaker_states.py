"""The states that run SageMaker jobs: tuning (Train), processing (Evaluate), batch transform (Score)."""

from __future__ import annotations

import aws_cdk as cdk

from stacks.components.common import ENVIRONMENT_TAG
from stacks.components.search_space import parameter_ranges, search_space, static_hyperparameters, training_environment
from stacks.components.states import GRACE_SECONDS, MODEL_KEYS, PREPARED_KEYS, State, busy, of_run, once_more, retry
from stacks.config import Settings
from stacks.modeling_stack import Modeling
from stacks.storage_stack import Storage

VOLUME_GB = 30
# Each redrive and each retry needs a new job name: SageMaker does not allow a name to be used again.
JOB_NAME = "States.Format('{}-{}-{}', $.run_id, $$.Execution.RedriveCount, $$.State.RetryCount)"
# A run that trains again in the same execution enters the same states a second time.
ATTEMPT_NAME = "States.Format('{}{}{}-{}', $.run_id, $.plan.attempt, $$.Execution.RedriveCount, $$.State.RetryCount)"


def tuning_job(settings: Settings, storage: Storage, modeling: Modeling, *, seconds: int, warm: bool = False) -> State:
    """Return the state that tunes and trains; `warm` starts from the tuning job that Plan found."""
    space = search_space(settings)
    training, tuning = settings.training, settings.tuning
    objective = {"Type": "Maximize", "MetricName": space["objective"]["name"]}
    # The data has grown since, so TransferLearning: the parent's results are a hint, not measurements of the same thing.
    parents = [{"HyperParameterTuningJobName.$": "$.plan.parent_tuning_job"}]
    warm_start = {"WarmStartType": "TransferLearning", "ParentHyperParameterTuningJobs": parents}
    spot = {
        "EnableManagedSpotTraining": True,
        "CheckpointConfig": {
            "S3Uri.$": of_run(storage.models, MODEL_KEYS.checkpoints.rstrip("/")),
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
        "Resource": f"arn:{cdk.Aws.PARTITION}:states:::sagemaker:createHyperParameterTuningJob.sync",
        "Parameters": {
            "HyperParameterTuningJobName.$": ATTEMPT_NAME,
            "HyperParameterTuningJobConfig": {
                "Strategy": tuning.strategy,
                "HyperParameterTuningJobObjective": objective,
                "ResourceLimits": {
                    "MaxNumberOfTrainingJobs": tuning.max_jobs,
                    "MaxParallelTrainingJobs": tuning.max_parallel_jobs,
                },
                "ParameterRanges": parameter_ranges(space["tuned"]),
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
                "StaticHyperParameters": static_hyperparameters(settings, space),
                "AlgorithmSpecification": {
                    "TrainingImage": modeling.image_uri,
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [
                        {"Name": metric["name"], "Regex": metric["regex"]}
                        for metric in (space["objective"], *space["metrics"])
                    ],
                },
                "RoleArn": modeling.training_role.role_arn,
                "InputDataConfig": channels,
                "OutputDataConfig": {
                    "S3OutputPath.$": of_run(storage.models, MODEL_KEYS.training.rstrip("/")),
                    "KmsKeyId": storage.key.key_arn,
                },
                "ResourceConfig": {
                    "InstanceType": settings.compute.training_instance,
                    "InstanceCount": 1,
                    "VolumeSizeInGB": VOLUME_GB,
                    "VolumeKmsKeyId": storage.key.key_arn,
                },
                "StoppingCondition": stopping,
                **({"Environment": training_environment(settings)} if training_environment(settings) else {}),
                "EnableNetworkIsolation": True,
                "EnableInterContainerTrafficEncryption": True,
                **(spot if training.spot else {}),
            },
            **({"WarmStartConfig": warm_start} if warm else {}),
            "Tags": job_tags(settings),
        },
        "ResultSelector": {"tuning_job.$": "$.HyperParameterTuningJobName"},
        "ResultPath": "$.training",
        # One training job after another, at the worst.
        "TimeoutSeconds": (2 if training.spot else 1) * seconds * -(-tuning.max_jobs // tuning.max_parallel_jobs)
        + GRACE_SECONDS,
        "Retry": _retries(),
        "Next": "Best trial",
    }


def best_trial_states() -> dict[str, State]:
    """Return the states that find the best completed trial of the tuning job.

    BestTrainingJob of the tuning job may be a trial that was stopped early: its objective is that of the first folds, and it has no
    model.
    """
    first = "$.training.trials.found[0]"
    return {
        "Best trial": {
            "Type": "Task",
            "Resource": f"arn:{cdk.Aws.PARTITION}:states:::aws-sdk:sagemaker:listTrainingJobsForHyperParameterTuningJob",
            "Parameters": {
                "HyperParameterTuningJobName.$": "$.training.tuning_job",
                "StatusEquals": "Completed",
                "SortBy": "FinalObjectiveMetricValue",
                "SortOrder": "Descending",  # the objective is maximized
                "MaxResults": 1,
            },
            "ResultSelector": {"found.$": "$.TrainingJobSummaries"},
            "ResultPath": "$.training.trials",
            "TimeoutSeconds": 60,
            "Retry": [
                retry("SageMaker.SageMakerException", "SageMaker.SdkClientException", seconds=5, attempts=8, longest=120)
            ],
            "Next": "Trial found?",
        },
        "Trial found?": {
            "Type": "Choice",
            "Choices": [{"Variable": f"{first}.TrainingJobName", "IsPresent": True, "Next": "Candidate"}],
            "Default": "No trial",
        },
        "Candidate": {
            "Type": "Pass",
            "Parameters": {
                "tuning_job.$": "$.training.tuning_job",
                "best_training_job.$": f"{first}.TrainingJobName",
                "objective.$": f"{first}.FinalHyperParameterTuningJobObjectiveMetric.Value",
            },
            "ResultPath": "$.training",
            "Next": "Evaluate",
        },
        "No trial": {
            "Type": "Fail",
            "Error": "NoCompletedTrial",
            "Cause": "No training job of the tuning job was completed, so there is no model to evaluate. Look at the training jobs' logs. "
            "The labelled rows are kept: upload further labelled complaints, and the next run trains on all of them.",
        },
    }


def processing_job(settings: Settings, storage: Storage, modeling: Modeling, *, seconds: int) -> State:
    """Return the state that evaluates the candidate and the champion."""
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

    candidate = of_run(storage.models, MODEL_KEYS.artifact("{}"), "$.training.best_training_job")
    return {
        "Type": "Task",
        "Resource": f"arn:{cdk.Aws.PARTITION}:states:::sagemaker:createProcessingJob.sync",
        "Parameters": {
            # The champion is part of the name: a second evaluation in the same run is one against another champion.
            "ProcessingJobName.$": (
                "States.Format('{}{}{}-{}-vs-{}', $.run_id, $.plan.attempt, "
                "$$.Execution.RedriveCount, $$.State.RetryCount, $.plan.champion.version)"
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
                    # Holds the models of all trials; a model has at most 0.5 GB.
                    "VolumeSizeInGB": VOLUME_GB + settings.tuning.max_jobs // 2,
                    "VolumeKmsKeyId": storage.key.key_arn,
                }
            },
            "ProcessingInputs": [
                job_input("code", modeling.code_uri, dynamic=False),
                job_input("candidate", candidate),
                # Every trial, because those of a mixed set are refused. The prefix ends in the name that begins all their names.
                job_input("trials", of_run(storage.models, f"{MODEL_KEYS.training}{{}}-", "$.training.tuning_job")),
                job_input("champion", "$.plan.champion.model_data_url"),
                # What the candidate learned from: held-out rows that are near-copies are left out.
                job_input("train", "$.plan.manifests.train", "ManifestFile"),
                job_input("validation", "$.plan.manifests.validation", "ManifestFile"),
                job_input("test", "$.plan.manifests.test", "ManifestFile"),
                job_input("request", of_run(storage.prepared, PREPARED_KEYS.request)),
            ],
            "ProcessingOutputConfig": {
                "KmsKeyId": storage.key.key_arn,
                "Outputs": [
                    {
                        "OutputName": "evaluation",
                        "S3Output": {
                            "S3Uri.$": of_run(storage.models, MODEL_KEYS.evaluation),
                            "LocalPath": f"{base}/output",
                            "S3UploadMode": "EndOfJob",
                        },
                    },
                    {
                        # It has texts, so it expires with the run.
                        "OutputName": "labels_to_check",
                        "S3Output": {
                            "S3Uri.$": of_run(storage.prepared, PREPARED_KEYS.labels_folder),
                            "LocalPath": f"{base}/labels_to_check",
                            "S3UploadMode": "EndOfJob",
                        },
                    },
                ],
            },
            "NetworkConfig": {"EnableNetworkIsolation": True, "EnableInterContainerTrafficEncryption": True},
            "StoppingCondition": {"MaxRuntimeInSeconds": seconds},
            "Tags": job_tags(settings),
        },
        "ResultSelector": {"processing_job.$": "$.ProcessingJobName"},
        "ResultPath": "$.evaluation",
        "TimeoutSeconds": seconds + GRACE_SECONDS,
        "Retry": [*_retries(), once_more()],
        "Next": "Promote",
    }


def transform_job(settings: Settings, storage: Storage, *, seconds: int) -> State:
    """Return the state that scores with the champion."""
    return {
        "Type": "Task",
        "Resource": f"arn:{cdk.Aws.PARTITION}:states:::sagemaker:createTransformJob.sync",
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
                        "S3Uri.$": of_run(storage.prepared, PREPARED_KEYS.to_score),
                    }
                },
                "ContentType": "application/jsonlines",
                "CompressionType": "None",
                "SplitType": "Line",
            },
            "TransformOutput": {
                "S3OutputPath.$": of_run(storage.prepared, PREPARED_KEYS.scored),
                "Accept": "application/jsonlines",
                "AssembleWith": "Line",
                "KmsKeyId": storage.key.key_arn,
            },
            "TransformResources": {
                "InstanceType": settings.compute.scoring_instance,
                "InstanceCount": settings.compute.scoring_instances,
                "VolumeKmsKeyId": storage.key.key_arn,
            },
            "Tags": job_tags(settings),
        },
        "ResultSelector": {"transform_job.$": "$.TransformJobName"},
        "ResultPath": "$.scoring",
        "TimeoutSeconds": seconds + GRACE_SECONDS,
        "Retry": [*_retries(), once_more()],
        "Next": "Publish",
    }


def _retries() -> list[State]:
    return [
        # Each attempt has a job name of its own. The service reports throttling as AmazonSageMakerException.
        busy(
            "SageMaker.ResourceLimitExceeded",
            "SageMaker.ResourceLimitExceededException",
            "SageMaker.ThrottlingException",
            "SageMaker.AmazonSageMakerException",
        ),
    ]


def job_tags(settings: Settings) -> list[dict[str, str]]:
    """Return the tags of the stacks: Step Functions does not tag the jobs that it starts, and jobs are most of the bill."""
    return [{"Key": key, "Value": value} for key, value in {**settings.tags, ENVIRONMENT_TAG: settings.name}.items()]


def _s3_input(uri: object, *, data_type: str, dynamic: bool = True) -> State:
    return {
        "S3DataSource": {
            "S3DataType": data_type,
            ("S3Uri.$" if dynamic else "S3Uri"): uri,
            "S3DataDistributionType": "FullyReplicated",
        }
    }
