"""SageMaker with real compute: training, tuning, processing and Batch Transform run the packaged code of the template.

There is no container engine, so there is no /opt/ml either: each job has a folder that stands for it. Paths below /opt/ml in
hyperparameters, commands and variables are written as paths below that folder before the code sees them; everything else of the
scikit-learn container's contract is as documented (https://github.com/aws/sagemaker-training-toolkit, ENVIRONMENT_VARIABLES.md).
Inputs and outputs move with the credentials of the job's role; an isolated job's process gets none.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import re
import shutil
import statistics
import tarfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from local_aws import process as jobs
from local_aws.context import LocalContext, RoleNotAssumableError

IMAGE = re.compile(r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/sagemaker-scikit-learn:[\w.-]+$")
OPT_ML = "/opt/ml"
SERVING = Path(__file__).with_name("serving.py")
ENDED = ("Completed", "Failed", "Stopped")
_lock = threading.RLock()


class JobFailedError(Exception):
    """The job cannot go on; the message is its FailureReason."""


class _Job:
    """A job: `record` is what its Describe call answers."""

    def __init__(  # noqa: PLR0917 - one caller per kind of job
        self, context: LocalContext, kind: str, name: str, arn_kind: str, log_group: str, request: dict[str, Any]
    ) -> None:
        now = datetime.now(UTC)
        self.context = context
        self.name = name
        self.status_field = f"{kind}Status"
        self.record: dict[str, Any] = {
            **request,
            f"{kind}Arn": f"arn:aws:sagemaker:{context.region}:{context.account_id}:{arn_kind}/{name}",
            self.status_field: "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        self.record.pop("Tags", None)
        self.process = jobs.JobProcess(context, log_group, f"{name}/algo-1-{int(time.time())}")
        self.stopping = threading.Event()
        self.objectives: list[float] = []  # of a trial, as its code printed them
        self.on_metric: Callable[[str, float], None] = lambda _name, _value: None
        self.base = context.scratch("sagemaker", arn_kind, name)

    @property
    def status(self) -> str:
        return str(self.record[self.status_field])

    def end(self, status: str, reason: str | None = None) -> None:
        with _lock:
            if reason:
                self.record["FailureReason"] = reason[:1024]
            self.record["LastModifiedTime"] = datetime.now(UTC)
            self.record[self.status_field] = status
        if status == "Completed":
            shutil.rmtree(self.base, ignore_errors=True)

    def stop(self) -> None:
        with _lock:
            if self.status in ENDED:
                return
            self.record[self.status_field] = "Stopping"
        self.stopping.set()
        threading.Thread(target=self.process.stop, daemon=True).start()

    def translate(self, text: str) -> str:
        """A path below /opt/ml as the path below this job's folder."""
        return re.sub(rf"{OPT_ML}(?=/|$|\W)", str(self.base), text)

    def client(self, role_arn: str) -> Any:
        return self.context.client("s3", role_arn, "sagemaker.amazonaws.com")

    def environment(self, role_arn: str, *, isolated: bool) -> dict[str, str]:
        base = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.base),
            # What is compiled is kept for the next job: here a machine runs them all, and there each has its own.
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONUNBUFFERED": "1",
        }
        credentials = {} if isolated else self.context.role_environment(role_arn, "sagemaker.amazonaws.com", self.name)
        return {**base, **credentials, "AWS_REGION": self.context.region, "AWS_DEFAULT_REGION": self.context.region}


_jobs: dict[str, dict[str, _Job]] = {"TrainingJob": {}, "HyperParameterTuningJob": {}, "ProcessingJob": {}, "TransformJob": {}}
_trials: dict[str, list[_Job]] = {}
_warm: dict[str, list[tuple[dict[str, str], float]]] = {}


def install(context: LocalContext) -> None:
    """Answer the job calls of the SageMaker API here; models, packages and the rest stay moto's."""
    from moto.core.exceptions import AWSError
    from moto.core.responses import ActionResult
    from moto.sagemaker.responses import SageMakerResponse

    class ResourceInUse(AWSError):
        TYPE = "ResourceInUse"
        STATUS = 400

    class ValidationException(AWSError):
        TYPE = "ValidationException"
        STATUS = 400

    class ConflictException(AWSError):
        TYPE = "ConflictException"
        STATUS = 400

    def register(kind: str, arn_kind: str, log_group: str, work: Any, check: Any) -> None:
        name_field = f"{kind}Name"
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()

        def create(self: Any) -> Any:
            request = json.loads(self.body)
            name = request[name_field]
            try:
                check(request)
            except JobFailedError as error:
                raise ValidationException(str(error)) from None
            with _lock:
                if name in _jobs[kind]:
                    raise ResourceInUse(f"{kind} already exists: {name}")
                job = _Job(context, kind, name, arn_kind, log_group, request)
                _jobs[kind][name] = job
            threading.Thread(target=_guard, args=(job, work), name=f"{arn_kind}-{name}", daemon=True).start()
            return ActionResult({f"{kind}Arn": job.record[f"{kind}Arn"]})

        def find(self: Any) -> _Job:
            name = self._get_param(name_field)
            if name not in _jobs[kind]:
                raise ValidationException(f"Requested resource not found: {name}")
            return _jobs[kind][name]

        def describe(self: Any) -> Any:
            with _lock:
                return ActionResult(dict(find(self).record))

        def stop(self: Any) -> Any:
            find(self).stop()
            return ActionResult({})

        for verb, method in (("create", create), ("describe", describe), ("stop", stop)):
            setattr(SageMakerResponse, f"{verb}_{snake}", method)

    # moto deletes neither versions nor their groups.
    def delete_model_package(self: Any) -> Any:
        name = self._get_param("ModelPackageName")
        packages = self.sagemaker_backend.model_packages
        if packages.pop(name, None) is None:
            raise ValidationException(f"Model package {name} does not exist")
        return ActionResult({})

    def delete_model_package_group(self: Any) -> Any:
        name, backend = self._get_param("ModelPackageGroupName"), self.sagemaker_backend
        if any(package.model_package_group_name == name for package in backend.model_packages.values()):
            raise ConflictException(f"Model Package Group {name} cannot be deleted: it has versions")
        if backend.model_package_groups.pop(name, None) is None:
            raise ValidationException(f"Model Package Group {name} does not exist")
        return ActionResult({})

    SageMakerResponse.delete_model_package = delete_model_package
    SageMakerResponse.delete_model_package_group = delete_model_package_group
    register("TrainingJob", "training-job", "/aws/sagemaker/TrainingJobs", _train, _check_training)
    register("ProcessingJob", "processing-job", "/aws/sagemaker/ProcessingJobs", _process, _check_processing)
    register("TransformJob", "transform-job", "/aws/sagemaker/TransformJobs", _transform, _check_transform)
    register("HyperParameterTuningJob", "hyper-parameter-tuning-job", "/aws/sagemaker/TrainingJobs", _tune, _check_tuning)

    def list_trials(self: Any) -> Any:
        trials = _trials.get(self._get_param("HyperParameterTuningJobName"), [])
        return ActionResult({"TrainingJobSummaries": [_trial_summary(trial) for trial in trials]})

    SageMakerResponse.list_training_jobs_for_hyper_parameter_tuning_job = list_trials


def shutdown() -> None:
    """End every job."""
    for kind in _jobs.values():
        for job in kind.values():
            job.stopping.set()
    jobs.shutdown()


def _guard(job: _Job, work: Any) -> None:
    """Run a job's work; whatever happens, the job ends in a final state."""
    try:
        work(job)
    except (JobFailedError, RoleNotAssumableError) as error:
        job.end("Failed", str(error))
    except ClientError as error:
        job.end("Failed", f"ClientError: {error}")
    except Exception as error:  # noqa: BLE001 - a job without a final state would be waited for for ever
        job.end("Failed", f"InternalServerError: local AWS failed: {error!r}")


def _check_image(image: str) -> None:
    if not IMAGE.match(image):
        raise JobFailedError(
            f"local AWS runs the scikit-learn image only, not {image}: take its URI from sagemaker.core.image_uris"
        )


# -- training ---------------------------------------------------------------------------------------------------------


def _check_training(request: Mapping[str, Any]) -> None:
    _check_image(request["AlgorithmSpecification"].get("TrainingImage", "no image"))
    if request.get("EnableManagedSpotTraining") and "MaxWaitTimeInSeconds" not in request["StoppingCondition"]:
        raise JobFailedError("MaxWaitTimeInSeconds is required when EnableManagedSpotTraining is true")


def _secondary(job: _Job, status: str) -> None:
    now = datetime.now(UTC)
    transitions = job.record.setdefault("SecondaryStatusTransitions", [])
    if transitions:
        transitions[-1]["EndTime"] = now
    transitions.append({"Status": status, "StartTime": now})
    job.record["SecondaryStatus"] = status


def _train(job: _Job) -> None:
    record, base, role = job.record, job.base, job.record["RoleArn"]
    client = job.client(role)
    _secondary(job, "Downloading")
    record["TrainingStartTime"] = datetime.now(UTC)
    channels = {}
    for channel in record.get("InputDataConfig", []):
        name = channel["ChannelName"]
        channels[name] = base / "input" / "data" / name
        _fetch_input(client, channel["DataSource"]["S3DataSource"], channels[name])
    checkpoints = record.get("CheckpointConfig")
    if checkpoints:
        local = Path(job.translate(checkpoints.get("LocalPath", f"{OPT_ML}/checkpoints")))
        kept = {"S3DataType": "S3Prefix", "S3Uri": checkpoints["S3Uri"].rstrip("/") + "/"}
        _fetch_input(client, kept, local, may_be_empty=True)
    hyperparameters = {key: job.translate(value) for key, value in record.get("HyperParameters", {}).items()}
    for folder in ("model", "output/data", "input/config", "code", "checkpoints"):
        (base / folder).mkdir(parents=True, exist_ok=True)
    configuration = {
        "hyperparameters": hyperparameters,
        "inputdataconfig": {
            channel["ChannelName"]: {"TrainingInputMode": "File", "ContentType": channel.get("ContentType", "")}
            for channel in record.get("InputDataConfig", [])
        },
        "resourceconfig": {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo"},
    }
    for name, content in configuration.items():
        (base / "input" / "config" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    program = hyperparameters.get("sagemaker_program")
    if not program:
        raise JobFailedError("AlgorithmError: hyperparameter sagemaker_program names no entry script")
    _unpack(Path(hyperparameters["sagemaker_submit_directory"]), base / "code")
    own = {key: value for key, value in hyperparameters.items() if not key.startswith(("sagemaker_", "_tuning_"))}
    environment = {
        **job.environment(role, isolated=bool(record.get("EnableNetworkIsolation"))),
        **record.get("Environment", {}),
        **_training_variables(job, channels, own, program),
    }
    arguments = [part for key, value in sorted(own.items()) for part in (f"--{key}", value)]
    metrics: dict[str, dict[str, Any]] = {}
    definitions = [(d["Name"], re.compile(d["Regex"])) for d in record["AlgorithmSpecification"].get("MetricDefinitions", [])]

    def read_metrics(line: str) -> None:
        for name, regex in definitions:
            match = regex.search(line)
            if match:
                metrics[name] = {"MetricName": name, "Value": float(match.group(1)), "Timestamp": datetime.now(UTC)}
                job.on_metric(name, float(match.group(1)))

    _secondary(job, "Training")
    outcome = job.process.run(
        [job.context.python, str(base / "code" / program), *arguments],
        environment=environment,
        folder=base / "code",
        timeout=record["StoppingCondition"].get("MaxRuntimeInSeconds", 86400),
        on_line=read_metrics,
    )
    if checkpoints:
        _upload_tree(client, local, checkpoints["S3Uri"])
    record["FinalMetricDataList"] = list(metrics.values())
    _secondary(job, "Uploading")
    target = f"{record['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{job.name}/output"
    if any((base / "model").iterdir()):
        _upload_archive(client, base / "model", f"{target}/model.tar.gz")
        record["ModelArtifacts"] = {"S3ModelArtifacts": f"{target}/model.tar.gz"}
    if any((base / "output" / "data").iterdir()):
        _upload_archive(client, base / "output" / "data", f"{target}/output.tar.gz")
    record["TrainingEndTime"] = datetime.now(UTC)
    seconds = max(1, round((record["TrainingEndTime"] - record["TrainingStartTime"]).total_seconds()))
    record["TrainingTimeInSeconds"] = record["BillableTimeInSeconds"] = seconds
    if outcome.stopped or outcome.timed_out:
        _secondary(job, "Stopped" if outcome.stopped else "MaxRuntimeExceeded")
        job.end("Stopped")
    elif outcome.returncode:
        _secondary(job, "Failed")
        job.end("Failed", f"AlgorithmError: {_failure(base / 'output' / 'failure', outcome)}, exit code: {outcome.returncode}")
    else:
        _secondary(job, "Completed")
        job.end("Completed")


def _training_variables(job: _Job, channels: Mapping[str, Path], own: Mapping[str, str], program: str) -> dict[str, str]:
    """The SM_* variables of the training toolkit that describe this job."""
    base = job.base
    return {
        "PYTHONPATH": str(base / "code"),
        "TRAINING_JOB_NAME": job.name,
        "TRAINING_JOB_ARN": job.record["TrainingJobArn"],
        "SM_MODEL_DIR": str(base / "model"),
        "SM_INPUT_DIR": str(base / "input"),
        "SM_INPUT_CONFIG_DIR": str(base / "input" / "config"),
        "SM_OUTPUT_DIR": str(base / "output"),
        "SM_OUTPUT_DATA_DIR": str(base / "output" / "data"),
        "SM_CHANNELS": json.dumps(sorted(channels)),
        **{f"SM_CHANNEL_{name.upper()}": str(path) for name, path in channels.items()},
        "SM_HPS": json.dumps({key: _decoded(value) for key, value in own.items()}),
        **{f"SM_HP_{name.upper()}": value for name, value in own.items()},
        "SM_CURRENT_HOST": "algo-1",
        "SM_HOSTS": json.dumps(["algo-1"]),
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_NUM_GPUS": "0",
        "SM_USER_ENTRY_POINT": program,
        "SM_MODULE_NAME": program.removesuffix(".py"),
        "SM_FRAMEWORK_MODULE": "sagemaker_sklearn_container.training:main",
    }


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _failure(file: Path, outcome: jobs.Outcome) -> str:
    """What the script says of its failure; else its last line."""
    if file.is_file():
        return file.read_text(encoding="utf-8", errors="replace")[:900]
    return next((line for line in reversed(outcome.lines) if line.strip()), "the script ended without a message")[:900]


# -- tuning -----------------------------------------------------------------------------------------------------------


def _check_tuning(request: Mapping[str, Any]) -> None:
    definition = request.get("TrainingJobDefinition")
    if not definition:
        raise JobFailedError("local AWS tunes one TrainingJobDefinition; TrainingJobDefinitions is not supported")
    _check_image(definition["AlgorithmSpecification"].get("TrainingImage", "no image"))
    configuration = request["HyperParameterTuningJobConfig"]
    if configuration["Strategy"] == "Hyperband" and configuration.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        raise JobFailedError("TrainingJobEarlyStoppingType must be Off where the strategy is Hyperband")
    for parent in request.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", []):
        _check_parent(request, parent["HyperParameterTuningJobName"])


def _check_parent(request: Mapping[str, Any], name: str) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-warm-start.html, the restrictions."""
    parent = _jobs["HyperParameterTuningJob"].get(name)
    if parent is None:
        raise JobFailedError(f"the parent tuning job {name} does not exist")
    if parent.status not in ENDED:
        raise JobFailedError(f"the parent tuning job {name} has not ended: it is {parent.status}")

    def objective(of: Mapping[str, Any]) -> Any:
        return of["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]

    def names(of: Mapping[str, Any]) -> set[str]:
        static = of["TrainingJobDefinition"].get("StaticHyperParameters", {})
        return {*static, *_space(of["HyperParameterTuningJobConfig"].get("ParameterRanges", {}))}

    if objective(parent.record) != objective(request):
        raise JobFailedError(f"the parent tuning job {name} has another objective")
    if len(names(parent.record)) != len(names(request)):
        raise JobFailedError(f"the parent tuning job {name} has another number of static and tunable hyperparameters")


def _pruner(configuration: Mapping[str, Any]) -> Any:
    """What stops a trial early by the optimiser's own rule: Hyperband's, or nothing."""
    import optuna

    if configuration["Strategy"] == "Hyperband":
        limits = configuration["StrategyConfig"]["HyperbandStrategyConfig"]
        return optuna.pruners.HyperbandPruner(min_resource=limits["MinResource"], max_resource=limits["MaxResource"])
    return optuna.pruners.NopPruner()


def _below_median(values: list[float], earlier: list[list[float]], goal: str) -> bool:
    """Whether the last of a trial's values is worse than the median of earlier trials' running averages up to the same epoch.

    https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-early-stopping.html
    """
    epoch = len(values)
    averages = [statistics.fmean(other[:epoch]) for other in earlier if len(other) >= epoch]
    if not averages:
        return False
    middle = statistics.median(averages)
    return values[-1] < middle if goal == "Maximize" else values[-1] > middle


def _watch(trial: _Job, proposal: Any, configuration: Mapping[str, Any], trials: list[_Job]) -> None:
    """Tell the optimiser each value of the objective, and stop the trial where the strategy's or the median's rule says so, or
    Hyperband's resource is used up.
    """
    goal = configuration["HyperParameterTuningJobObjective"]
    most = configuration.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {}).get("MaxResource")
    by_median = configuration.get("TrainingJobEarlyStoppingType") == "Auto"

    def report(name: str, value: float) -> None:
        if name != goal["MetricName"]:
            return
        with _lock:
            trial.objectives.append(value)
            seen = len(trial.objectives)
            proposal.report(value, seen)
            unpromising = proposal.should_prune()
            earlier = [other.objectives for other in trials if other.status in ("Completed", "Stopped")]
        if unpromising or (by_median and _below_median(trial.objectives, earlier, goal["Type"])) or (most and seen >= most):
            trial.stop()

    trial.on_metric = report


def _tune(job: _Job) -> None:
    """Trials proposed by Optuna: TPE where SageMaker says Bayesian or Hyperband, random search for Random."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    record = job.record
    configuration, definition = record["HyperParameterTuningJobConfig"], record["TrainingJobDefinition"]
    goal = configuration["HyperParameterTuningJobObjective"]
    limits = configuration["ResourceLimits"]
    seed = configuration.get("RandomSeed", 0)
    sampler = (
        optuna.samplers.RandomSampler(seed=seed)
        if configuration["Strategy"] == "Random"
        # The best quarter counts as good, not Optuna's tenth: at 8 to 24 trials that halves the distance to the optimum
        # (a quadratic over three knobs, 40 seeds: .028 against .055 at 12 trials; at random .077).
        else optuna.samplers.TPESampler(seed=seed, n_startup_trials=3, gamma=lambda trials: max(1, math.ceil(trials / 4)))
    )
    study = optuna.create_study(direction=goal["Type"].lower(), sampler=sampler, pruner=_pruner(configuration))
    ranges = configuration.get("ParameterRanges", {})
    _start_warm(record, study, ranges)
    trials = _trials.setdefault(job.name, [])
    record["TrainingJobStatusCounters"] = dict.fromkeys(
        ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped"), 0
    )
    record["ObjectiveStatusCounters"] = dict.fromkeys(("Succeeded", "Pending", "Failed"), 0)
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(1, limits.get("MaxNumberOfTrainingJobs", 1) + 1):
        waiting.put(number)

    def work() -> None:
        while not job.stopping.is_set():
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            with _lock:
                proposal = study.ask()
                values = _propose(proposal, ranges)
                trial = _trial(job, definition, goal, number, values)
                _watch(trial, proposal, configuration, trials)
                trials.append(trial)
                record["TrainingJobStatusCounters"]["InProgress"] += 1
            _guard(trial, _train)
            with _lock:
                _tell(job, study, proposal, trial)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(limits["MaxParallelTrainingJobs"])]
    watcher = threading.Thread(target=_stop_trials, args=(job, trials, workers), daemon=True)
    for thread in (*workers, watcher):
        thread.start()
    for thread in workers:
        thread.join()
    record["HyperParameterTuningEndTime"] = datetime.now(UTC)
    sign = 1 if goal["Type"] == "Maximize" else -1
    scored = [
        (sign * value, -index, trial)
        for index, trial in enumerate(trials)
        if trial.status == "Completed" and (value := _objective(trial, goal["MetricName"])) is not None
    ]
    if scored:
        record["BestTrainingJob"] = _trial_summary(max(scored, key=lambda item: item[:2])[2])
    if job.stopping.is_set():
        job.end("Stopped")
    elif scored:
        job.end("Completed")
    else:
        reasons = [trial.record.get("FailureReason", "") for trial in trials]
        reason = next(filter(None, reasons), f"no training job printed the objective metric {goal['MetricName']}")
        job.end("Failed", f"All training jobs failed or gave no objective. First reason: {reason}")


def _tell(job: _Job, study: Any, proposal: Any, trial: _Job) -> None:
    """Count a trial that ended, and tell the optimiser what it gave."""
    import optuna

    record, objective = job.record, _objective(trial, trial.goal["MetricName"])  # type: ignore[attr-defined]
    counters, objectives = record["TrainingJobStatusCounters"], record["ObjectiveStatusCounters"]
    counters["InProgress"] -= 1
    counters[{"Completed": "Completed", "Stopped": "Stopped"}.get(trial.status, "NonRetryableError")] += 1
    objectives["Failed" if objective is None else "Succeeded"] += 1
    if objective is None:
        study.tell(proposal, state=optuna.trial.TrialState.FAIL)
    elif trial.status == "Completed":
        study.tell(proposal, objective)
        _warm.setdefault(job.name, []).append((trial.tuned, objective))  # type: ignore[attr-defined]
    else:
        study.tell(proposal, state=optuna.trial.TrialState.PRUNED)


def _stop_trials(job: _Job, trials: list[_Job], workers: list[threading.Thread]) -> None:
    while any(worker.is_alive() for worker in workers):
        if job.stopping.wait(0.2):
            for trial in list(trials):
                trial.stop()
            return


def _start_warm(record: Mapping[str, Any], study: Any, ranges: Mapping[str, Any]) -> None:
    """Tell the optimiser what parents' trials gave, as WarmStartConfig asks."""
    import optuna

    space = _space(ranges)
    for parent in record.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", []):
        for values, objective in _warm.get(parent["HyperParameterTuningJobName"], []):
            parameters = {name: type_(values[name]) for name, (type_, _) in space.items() if name in values}
            distributions = {name: distribution for name, (_, distribution) in space.items()}
            with contextlib.suppress(ValueError):  # ranges may have changed since; what lies outside tells nothing here
                study.add_trial(optuna.trial.create_trial(params=parameters, distributions=distributions, value=objective))


def _space(ranges: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    import optuna

    space: dict[str, tuple[Any, Any]] = {}
    for entry in ranges.get("ContinuousParameterRanges", []):
        low, high = float(entry["MinValue"]), float(entry["MaxValue"])
        log = entry.get("ScalingType") in ("Logarithmic", "ReverseLogarithmic")
        space[entry["Name"]] = (float, optuna.distributions.FloatDistribution(low, high, log=log))
    for entry in ranges.get("IntegerParameterRanges", []):
        log = entry.get("ScalingType") == "Logarithmic"
        distribution = optuna.distributions.IntDistribution(int(entry["MinValue"]), int(entry["MaxValue"]), log=log)
        space[entry["Name"]] = (int, distribution)
    for entry in ranges.get("CategoricalParameterRanges", []):
        space[entry["Name"]] = (str, optuna.distributions.CategoricalDistribution(list(entry["Values"])))
    return space


def _propose(proposal: Any, ranges: Mapping[str, Any]) -> dict[str, str]:
    """One trial's tuned values, as the strings that a training job receives."""
    return {name: str(proposal._suggest(name, distribution)) for name, (_, distribution) in _space(ranges).items()}


def _trial(job: _Job, definition: Mapping[str, Any], goal: Mapping[str, Any], number: int, values: Mapping[str, str]) -> _Job:
    name = f"{job.name}-{number:03d}-{uuid.uuid4().hex[:8]}"
    request = {key: value for key, value in definition.items() if key != "StaticHyperParameters"}
    request.update(
        TrainingJobName=name,
        HyperParameters={
            **definition.get("StaticHyperParameters", {}),
            **values,
            "_tuning_objective_metric": goal["MetricName"],
        },
        TuningJobArn=job.record["HyperParameterTuningJobArn"],
    )
    trial = _Job(job.context, "TrainingJob", name, "training-job", "/aws/sagemaker/TrainingJobs", request)
    trial.tuned = dict(values)  # type: ignore[attr-defined]
    trial.goal = dict(goal)  # type: ignore[attr-defined]
    _jobs["TrainingJob"][name] = trial
    return trial


def _objective(trial: _Job, name: str) -> float | None:
    for metric in trial.record.get("FinalMetricDataList", []):
        if metric["MetricName"] == name:
            return float(metric["Value"])
    return None


def _trial_summary(trial: _Job) -> dict[str, Any]:
    goal: dict[str, Any] = trial.goal  # type: ignore[attr-defined]
    value = _objective(trial, goal["MetricName"])
    summary = {
        "TrainingJobName": trial.name,
        "TrainingJobArn": trial.record["TrainingJobArn"],
        "CreationTime": trial.record["CreationTime"],
        "TrainingStartTime": trial.record.get("TrainingStartTime"),
        "TrainingEndTime": trial.record.get("TrainingEndTime"),
        "TrainingJobStatus": trial.status,
        "TunedHyperParameters": trial.tuned,  # type: ignore[attr-defined]
        "FailureReason": trial.record.get("FailureReason"),
        "ObjectiveStatus": "Pending" if trial.status not in ENDED else "Failed" if value is None else "Succeeded",
    }
    if value is not None:
        summary["FinalHyperParameterTuningJobObjectiveMetric"] = {**goal, "Value": value}
    return {key: item for key, item in summary.items() if item is not None}


# -- processing -------------------------------------------------------------------------------------------------------


def _check_processing(request: Mapping[str, Any]) -> None:
    _check_image(request["AppSpecification"]["ImageUri"])


def _process(job: _Job) -> None:
    record, base, role = job.record, job.base, job.record["RoleArn"]
    client = job.client(role)
    for item in record.get("ProcessingInputs", []):
        _fetch_input(client, item["S3Input"], Path(job.translate(item["S3Input"]["LocalPath"])))
    outputs = record.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for item in outputs:
        Path(job.translate(item["S3Output"]["LocalPath"])).mkdir(parents=True, exist_ok=True)
    (base / "config").mkdir(exist_ok=True)
    (base / "config" / "processingjobconfig.json").write_text(json.dumps(record, default=str), encoding="utf-8")
    resources = {"current_host": "algo-1", "hosts": ["algo-1"]}
    (base / "config" / "resourceconfig.json").write_text(json.dumps(resources), encoding="utf-8")
    application = record["AppSpecification"]
    command = [*application.get("ContainerEntrypoint", []), *application.get("ContainerArguments", [])]
    isolated = bool(record.get("NetworkConfig", {}).get("EnableNetworkIsolation"))
    environment = {**job.environment(role, isolated=isolated), **record.get("Environment", {})}
    record["ProcessingStartTime"] = datetime.now(UTC)
    outcome = job.process.run(
        [job.translate(part) for part in command],
        environment={**environment, "PROCESSING_JOB_NAME": job.name},
        folder=base,
        timeout=record.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86400),
    )
    message = base / "output" / "message"
    if message.is_file():
        record["ExitMessage"] = message.read_text(encoding="utf-8", errors="replace")[:1024]
    record["ProcessingEndTime"] = datetime.now(UTC)
    if outcome.stopped:
        job.end("Stopped")
    elif outcome.timed_out:
        job.end("Stopped", "ClientError: the job exceeded MaxRuntimeInSeconds")
    elif outcome.returncode:
        job.end("Failed", f"AlgorithmError: {_failure(message, outcome)}, exit code: {outcome.returncode}")
    else:
        for item in outputs:
            _upload_tree(client, Path(job.translate(item["S3Output"]["LocalPath"])), item["S3Output"]["S3Uri"])
        job.end("Completed")


# -- batch transform --------------------------------------------------------------------------------------------------


def _check_transform(request: Mapping[str, Any]) -> None:
    split = request["TransformInput"].get("SplitType", "None")
    if split not in ("None", "Line"):
        raise JobFailedError(f"local AWS splits by Line or not at all, not by {split}")
    if request.get("DataProcessing", {}).get("JoinSource", "None") != "None":
        raise JobFailedError("local AWS does not join inputs to outputs (DataProcessing.JoinSource)")
    if request["TransformInput"].get("CompressionType", "None") != "None":
        raise JobFailedError("local AWS does not read compressed transform inputs")


def _transform(job: _Job) -> None:
    record, base = job.record, job.base
    moto = job.context.backend("sagemaker")
    model = moto._models.get(record["ModelName"])
    if model is None:
        raise JobFailedError(f"ClientError: Could not find model {record['ModelName']}")
    container = _container(moto, model)
    _check_image(container["Image"])
    client = job.client(model.execution_role_arn)
    record["TransformStartTime"] = datetime.now(UTC)
    archive = base / "model.tar.gz"
    location = urlparse(container["ModelDataUrl"])
    jobs.download(client, location.netloc, location.path.lstrip("/"), archive)
    _unpack(archive, base / "model")
    variables = {
        key: job.translate(value)
        for key, value in {**container.get("Environment", {}), **record.get("Environment", {})}.items()
    }
    program, source = variables.get("SAGEMAKER_PROGRAM"), variables.get("SAGEMAKER_SUBMIT_DIRECTORY")
    if not program or not source:
        raise JobFailedError("AlgorithmError: SAGEMAKER_PROGRAM and SAGEMAKER_SUBMIT_DIRECTORY must name the serving code")
    environment = {**job.environment(model.execution_role_arn, isolated=bool(model.enable_network_isolation)), **variables}
    port_file = base / "port"
    outcomes: list[jobs.Outcome] = []
    server = threading.Thread(
        target=lambda: outcomes.append(
            job.process.run(
                [job.context.python, str(SERVING), str(base / "model"), source, program, str(port_file)],
                environment=environment,
                folder=base,
                timeout=86400,
            )
        ),
        daemon=True,
    )
    server.start()
    while not port_file.exists():
        if not server.is_alive():
            last = _failure(base / "none", outcomes[0]) if outcomes else ""
            if job.stopping.is_set():
                job.end("Stopped")
                return
            raise JobFailedError(f"AlgorithmError: the model server did not start: {last}")
        time.sleep(0.05)
    url = f"http://127.0.0.1:{port_file.read_text(encoding='ascii')}/invocations"
    try:
        _transform_objects(job, client, url)
    finally:
        job.process.stop()
        server.join()
        record["TransformEndTime"] = datetime.now(UTC)
    job.end("Stopped" if job.stopping.is_set() else "Completed")


def _container(moto: Any, model: Any) -> dict[str, Any]:
    """The container of a model: its own, or the one of the model package that it names."""
    primary: Any = model.primary_container or (model.containers or [{}])[0]
    if hasattr(primary, "__dict__") and not isinstance(primary, dict):
        primary = vars(primary)
    arn = primary.get("ModelPackageName")
    if not arn:
        return dict(primary)
    for package in moto.model_packages.values():
        if package.arn == arn:
            specification = package.inference_specification
            containers: list[dict[str, Any]] = (
                specification["Containers"] if isinstance(specification, dict) else specification.containers
            )
            return {**containers[0], "Environment": {**containers[0].get("Environment", {}), **primary.get("Environment", {})}}
    raise JobFailedError(f"ClientError: model package {arn} does not exist")


def _transform_objects(job: _Job, client: Any, url: str) -> None:
    record = job.record
    source = record["TransformInput"]["DataSource"]["S3DataSource"]
    location, target = urlparse(source["S3Uri"]), urlparse(record["TransformOutput"]["S3OutputPath"])
    prefix = location.path.lstrip("/")
    keys = jobs.objects(client, location.netloc, prefix)
    if not keys:
        raise JobFailedError(f"ClientError: no objects below {source['S3Uri']}")
    limit = record.get("MaxPayloadInMB", 6) * 1024 * 1024
    single = record.get("BatchStrategy", "MultiRecord") == "SingleRecord"
    separator = b"\n" if record["TransformOutput"].get("AssembleWith", "None") == "Line" else b""
    pool = ThreadPoolExecutor(max_workers=max(1, record.get("MaxConcurrentTransforms", 1)))
    with pool:
        for key in keys:
            body = client.get_object(Bucket=location.netloc, Key=key)["Body"].read()
            split = record["TransformInput"].get("SplitType", "None") == "Line"
            batches = list(_batches(body, limit, single=single)) if split else [body]
            if any(len(batch) > limit for batch in batches):
                raise JobFailedError(
                    f"ClientError: a record is larger than MaxPayloadInMB ({record.get('MaxPayloadInMB', 6)})"
                )
            answers = list(pool.map(lambda batch: _invoke(job, url, batch), batches))
            name = key.removeprefix(prefix.rpartition("/")[0] + "/")
            output = separator.join(answer.rstrip(b"\n") if separator else answer for answer in answers) + separator
            client.put_object(Bucket=target.netloc, Key=f"{target.path.strip('/')}/{name}.out", Body=output)


def _batches(body: bytes, limit: int, *, single: bool) -> Iterator[bytes]:
    """Whole lines, as many as fit the payload (MultiRecord) or one (SingleRecord)."""
    batch: list[bytes] = []
    size = 0
    for line in body.split(b"\n"):
        if not line.strip():
            continue
        record = line + b"\n"
        if batch and (single or size + len(record) > limit):
            yield b"".join(batch)
            batch, size = [], 0
        batch.append(record)
        size += len(record)
    if batch:
        yield b"".join(batch)


def _invoke(job: _Job, url: str, payload: bytes) -> bytes:
    if job.stopping.is_set():
        return b""
    record = job.record
    headers = {
        "Content-Type": record["TransformInput"].get("ContentType", "application/json"),
        "Accept": record["TransformOutput"].get("Accept", "application/json"),
    }
    timeout = record.get("ModelClientConfig", {}).get("InvocationsTimeoutInSeconds", 600)
    request = urllib.request.Request(url, data=payload, headers=headers, method="POST")  # noqa: S310 - our own port
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310 - as above
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        if job.stopping.is_set():
            return b""
        detail = error.read().decode(errors="replace")[:400]
        raise JobFailedError(f"AlgorithmError: the model answered {error.code}: {detail}") from None
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        if job.stopping.is_set():
            return b""
        raise JobFailedError(f"AlgorithmError: the model server does not answer: {error}") from None


# -- files ------------------------------------------------------------------------------------------------------------


def _fetch_input(client: Any, source: Mapping[str, Any], target: Path, *, may_be_empty: bool = False) -> None:
    """Objects of an S3 source into a folder: all below a prefix (or the object itself), or those that a manifest lists."""
    target.mkdir(parents=True, exist_ok=True)
    location = urlparse(source["S3Uri"])
    bucket, key = location.netloc, location.path.lstrip("/")
    if source.get("S3DataType") == "ManifestFile":
        manifest = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
        prefix = urlparse(manifest[0]["prefix"])
        for name in manifest[1:]:
            jobs.download(client, prefix.netloc, prefix.path.lstrip("/") + name, target / name)
        return
    keys = jobs.objects(client, bucket, key)
    if not keys and not may_be_empty:
        raise JobFailedError(f"ClientError: no objects below {source['S3Uri']}")
    folder = key if key.endswith("/") else key.rpartition("/")[0] + "/"
    for name in keys:
        jobs.download(client, bucket, name, target / name.removeprefix(folder))


def _unpack(archive: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    if archive.is_dir():
        shutil.copytree(archive, target, dirs_exist_ok=True)
        return
    try:
        with tarfile.open(archive) as tar:
            # As an attribute: Python before 3.11.4 knows no filters, and later ones refuse what leaves the folder.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(target)  # noqa: S202
    except (tarfile.TarError, OSError) as error:
        raise JobFailedError(f"ClientError: {archive.name} is not a tar archive: {error}") from None


def _upload_archive(client: Any, folder: Path, address: str) -> None:
    archive = folder.with_name(folder.name + ".tar.gz")
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)
    location = urlparse(address)
    client.upload_file(str(archive), location.netloc, location.path.lstrip("/"))


def _upload_tree(client: Any, folder: Path, address: str) -> None:
    location = urlparse(address)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            key = "/".join(filter(None, (location.path.strip("/"), path.relative_to(folder).as_posix())))
            client.upload_file(str(path), location.netloc, key)
