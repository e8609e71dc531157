"""The server of one local AWS: moto's APIs on localhost with our extensions, until its owner ends or stops it.

    python -m local_aws.server FOLDER PORT [--detached] [--minute SECONDS]

Every service is created here and nowhere else. The table says what moto does without each of them:

| service | moto without it |
|---|---|
| cloudformation | skips resource types without a word |
| lambda_ | answers calls of functions with a canned text |
| eventbridge | calls no functions, and sends S3 events in another form than AWS |
| glue, sagemaker | report jobs as finished that never ran |
| cloudwatch | evaluates no alarm, and reports none to anybody |
| sns | delivers to queues and functions, and keeps nothing for people |
| stepfunctions | cannot wait for Glue and SageMaker jobs |
| validation | accepts names and sizes that AWS refuses |
| iam | evaluates policies against `*` only, and resource policies hardly |
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import signal
import sys
import threading
from pathlib import Path

from local_aws.context import LocalContext
from local_aws.paths import STATE
from local_aws.services.base import Service

ACCOUNT_ID = "123456789012"


def main() -> None:
    """Serve until standard input closes (an attached owner died) or a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m local_aws.server", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="everything that the server writes")
    parser.add_argument("port", type=int)
    parser.add_argument("--detached", action="store_true", help="continue when standard input closes")
    parser.add_argument("--minute", type=float, default=60, help="seconds in a minute of a Glue job's time limit")
    arguments = parser.parse_args()
    folder, port = arguments.folder, arguments.port
    region = os.environ["AWS_DEFAULT_REGION"]
    # moto reads these while it is imported. Imported before, it would check no permissions.
    if "moto" in sys.modules:
        raise RuntimeError("moto was imported before local_aws.server.main: import it later")
    os.environ.update(
        MOTO_PORT=str(port),
        MOTO_ACCOUNT_ID=ACCOUNT_ID,
        MOTO_ENABLE_ISO_REGIONS="false",
        # CDK's bootstrap roles use managed policies of AWS.
        MOTO_IAM_LOAD_MANAGED_POLICIES="true",
        INITIAL_NO_AUTH_ACTION_COUNT="0",  # check the permissions of every request
        AWS_ACCESS_KEY_ID="none",
        AWS_SECRET_ACCESS_KEY="none",  # noqa: S106 - no credentials of the user's may be found by accident
    )

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    context = LocalContext(folder=folder, port=port, account_id=ACCOUNT_ID, region=region, minute=arguments.minute)
    credentials = _create_administrator(context)
    services = create_services(context)
    for service in services:
        service.install()

    class Dispatcher(DomainDispatcherApplication):
        # moto lists the folders of its package for each request.
        get_backend_for_host = functools.lru_cache(1024)(DomainDispatcherApplication.get_backend_for_host)

    application = Dispatcher(create_backend_app)
    server = make_server("localhost", port, application, threaded=True, request_handler=_quiet(MotoRequestHandler))
    stopping = threading.Event()

    def stop(*_: object) -> None:
        if not stopping.is_set():
            stopping.set()
            threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if not arguments.detached:

        def watch_owner() -> None:
            sys.stdin.read()
            stop()

        threading.Thread(target=watch_owner, daemon=True).start()

    state = {"pid": os.getpid(), "port": port, "region": region, "account_id": ACCOUNT_ID, **credentials}
    partial = folder / f"{STATE}.partial"
    partial.write_text(json.dumps(state), encoding="utf-8")
    partial.chmod(0o600)
    partial.rename(folder / STATE)
    try:
        server.serve_forever()
    finally:
        for service in reversed(services):
            service.shutdown()
        (folder / STATE).unlink(missing_ok=True)
        # Interpreter threads of moto are not daemons and would keep the process alive.
        os._exit(0)


def create_services(context: LocalContext) -> list[Service]:
    """Return the services of one local AWS, in the order in which they extend moto."""
    from local_aws.services.cloudformation.service import CloudFormationService
    from local_aws.services.cloudwatch.service import CloudWatchService
    from local_aws.services.dynamodb import DynamoDbService
    from local_aws.services.eventbridge import EventBridgeService
    from local_aws.services.glue.service import GlueService
    from local_aws.services.iam import IamService
    from local_aws.services.lambda_.service import LambdaService
    from local_aws.services.sagemaker.service import SageMakerService
    from local_aws.services.sns import SnsService
    from local_aws.services.sqs import SqsService
    from local_aws.services.stepfunctions.service import StepFunctionsService
    from local_aws.validation import RequestValidation

    functions, glue, sagemaker = LambdaService(context), GlueService(context), SageMakerService(context)
    events = EventBridgeService(context, functions)
    return [
        CloudFormationService(context),
        DynamoDbService(context),
        functions,
        events,
        CloudWatchService(context),
        SnsService(context),
        SqsService(context),
        glue,
        sagemaker,
        StepFunctionsService(context, glue=glue, sagemaker=sagemaker, events=events),
        RequestValidation(context),
        IamService(context),
    ]


def _quiet(handler: type) -> type:
    """Return a handler that logs no requests: the log is for what went wrong."""
    return type("QuietHandler", (handler,), {"log_request": lambda *_args, **_kwargs: None})


def _create_administrator(context: LocalContext) -> dict[str, str]:
    """Create the administrator: an IAM user that may do everything."""
    iam = context.backend("iam")
    iam.create_user(context.region, "operator")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy("operator", "everything", json.dumps(everything))
    key = iam.create_access_key("operator")
    return {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}


if __name__ == "__main__":
    main()
