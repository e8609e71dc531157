"""The server of one local AWS: moto's APIs on localhost with our extensions, until its owner ends or stops it.

    python -m local_aws.server FOLDER PORT [--detached]

Every extension of moto is installed here and nowhere else. Read this list first; it says what moto does without each module:

| module | moto without it |
|---|---|
| cloudformation | skips resource types in silence |
| access | evaluates policies against `*` only |
| events | sends S3 events in another shape than AWS's |
| functions | answers Lambda calls with a canned text |
| workflow | cannot wait for Glue and SageMaker jobs |
| services.glue, sagemaker | call jobs finished that never ran |
| validation | accepts names and sizes that AWS refuses |
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

ACCOUNT_ID = "123456789012"
STATE = "state.json"


def administrator_credentials(folder: Path) -> dict[str, str]:
    """boto3's credential arguments for whoever operates this local AWS."""
    state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return {"aws_access_key_id": state["access_key_id"], "aws_secret_access_key": state["secret_access_key"]}


def main() -> None:
    """Serve until standard input closes (an attached owner died) or a signal comes."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    region = os.environ["AWS_DEFAULT_REGION"]
    # moto reads these while it is imported.
    os.environ.update(
        MOTO_PORT=str(port),
        MOTO_ACCOUNT_ID=ACCOUNT_ID,
        MOTO_ENABLE_ISO_REGIONS="false",
        # CDK's bootstrap roles use managed policies of AWS's.
        MOTO_IAM_LOAD_MANAGED_POLICIES="true",
        AWS_ACCESS_KEY_ID="none",
        AWS_SECRET_ACCESS_KEY="none",  # noqa: S106 - no credentials of the user's may be found by accident
    )

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    from local_aws import access, cloudformation, events, functions, sagemaker, validation, workflow
    from local_aws.context import LocalContext
    from local_aws.services.glue import GlueService

    context = LocalContext(folder=folder, port=port, account_id=ACCOUNT_ID, region=region)
    modules: tuple[Any, ...] = (cloudformation, events, functions, workflow, sagemaker, validation, access)
    credentials = _create_administrator(context)
    for module in modules:
        module.install(context)
    glue = GlueService(context)
    glue.install()

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
    if "--detached" not in sys.argv:

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
        glue.shutdown()
        for module in reversed(modules):
            getattr(module, "shutdown", lambda: None)()
        (folder / STATE).unlink(missing_ok=True)
        # Interpreter threads of moto are not daemons and would keep the process alive.
        os._exit(0)


def _quiet(handler: type) -> type:
    """No line per request: the log is for what went wrong."""
    return type("QuietHandler", (handler,), {"log_request": lambda *_args, **_kwargs: None})


def _create_administrator(context: Any) -> dict[str, str]:
    """Create the administrator: an IAM user that may do everything."""
    iam = context.backend("iam")
    iam.create_user(context.region, "operator")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy("operator", "everything", json.dumps(everything))
    key = iam.create_access_key("operator")
    return {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}


if __name__ == "__main__":
    main()
