"""inference.py under the real serving toolkit (sagemaker-inference) and under local AWS's: the same answers, whatever comes in."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_aws.paths import JOB_SITE
from tests.unit.training.conftest import ROOT
from tests.unit.training.test_jobs import inference, run_training, write_rows

LINES = "application/jsonlines"
Answer = tuple[int, str | None, bytes]
Ask = Callable[..., Answer]

# The toolkit in a process of its own, for it imports the program by name. A request a line: headers and body as JSON.
TOOLKIT = """
import json, sys
from sagemaker_inference.transformer import Transformer
class Context:
    def __init__(self, headers):
        self.system_properties = {"model_dir": sys.argv[1]}
        self.request_processor = [self]
        self.headers, self.status, self.kind = headers, 200, None
    def get_request_properties(self): return self.headers
    def set_response_content_type(self, _, kind): self.kind = kind
    def set_response_status(self, code, phrase): self.status = int(code)
transformer = Transformer()
for line in sys.stdin:
    request = json.loads(line)
    context = Context(request["headers"])
    [answer] = transformer.transform([{"body": bytearray.fromhex(request["body"])}], context)
    content = answer if isinstance(answer, bytes) else answer.encode()
    print(json.dumps({"status": context.status, "kind": context.kind, "body": content.hex()}), flush=True)
"""


def _environment(model: Path) -> dict[str, str]:
    return {
        **os.environ,
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": str(model / "code"),
        "SAGEMAKER_BASE_DIR": str(model.parent),
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": LINES,
        "PYTHONPATH": os.pathsep.join((str(model / "code"), str(JOB_SITE))),
    }


def _headers(content_type: str, accept: str | None) -> dict[str, str]:
    return {"Content-Type": content_type, **({"Accept": accept} if accept else {})}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("served")
    write_rows(base / "input/data/train/run_id=one", 200, 1, "train")
    code, log = run_training(base)
    assert code == 0, log
    return base / "model"


@pytest.fixture(scope="module")
def toolkit(model: Path) -> Iterator[Ask]:
    """Ask the real toolkit: (status, content type, body)."""
    with subprocess.Popen(
        [sys.executable, "-c", TOOLKIT, str(model)],
        env=_environment(model),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def ask(body: bytes, content_type: str = LINES, accept: str | None = LINES) -> Answer:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps({"headers": _headers(content_type, accept), "body": body.hex()}) + "\n")
            process.stdin.flush()
            found = json.loads(process.stdout.readline())
            return found["status"], found["kind"], bytes.fromhex(found["body"])

        yield ask
        process.kill()


@pytest.fixture(scope="module")
def local(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Ask local AWS's server: (status, content type, body)."""
    port = tmp_path_factory.mktemp("port") / "port"
    command = [
        sys.executable,
        str(ROOT / "local_aws/services/sagemaker/serving.py"),
        str(model),
        str(model / "code"),
        "inference.py",
        str(port),
    ]
    with subprocess.Popen(command, env=_environment(model), stderr=subprocess.DEVNULL) as process:
        while not port.exists():
            assert process.poll() is None
            time.sleep(0.05)
        url = f"http://127.0.0.1:{port.read_text(encoding='ascii')}/invocations"

        def ask(body: bytes, content_type: str = LINES, accept: str | None = LINES) -> Answer:
            request = urllib.request.Request(url, data=body, headers=_headers(content_type, accept), method="POST")
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
                    return answer.status, answer.headers["Content-Type"], answer.read()
            except urllib.error.HTTPError as error:
                with contextlib.closing(error):
                    return error.code, None, error.read()

        yield ask
        process.kill()


def line(text: Any, identity: Any = "1") -> bytes:
    return json.dumps({"complaint_id": identity, "text": text}, ensure_ascii=False).encode()


BODIES = {
    "one": line("me cobraron dos veces la cuota de manejo"),
    "odd": b"\n".join(
        [line("no reconozco esta compra"), b"", b"{bad", b"\xff\xfe", b"[1]", line("\u2028 😡 a\x00b"), line(" \n"), line(5)]
    ),
    "nothing": b"",
    "ends": b"\n\n\n",
    "many": b"\n".join(line("la aplicación no abre desde ayer", str(number)) for number in range(500)) + b"\n",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.slow
def test_the_real_toolkit_and_local_aws_answer_the_same(toolkit: Ask, local: Ask, body: bytes) -> None:
    answer = toolkit(body)
    assert answer == local(body)
    assert answer[:2] == (200, LINES)
    lines_in = len(body.removesuffix(b"\n").split(b"\n")) if body else 0
    assert answer[2].count(b"\n") == lines_in


@pytest.mark.parametrize("accept", ["*/*", None, "application/jsonlines, */*;q=0.1"])
def test_a_caller_that_names_no_format_gets_json_lines(toolkit: Ask, local: Ask, accept: str | None) -> None:
    assert toolkit(BODIES["one"], LINES, accept) == local(BODIES["one"], LINES, accept) == toolkit(BODIES["one"])


@pytest.mark.parametrize(
    ("content_type", "accept", "says"),
    [
        ("text/csv", LINES, b"content type 'text/csv' is not supported: send application/jsonlines"),
        ("application/json", LINES, b"content type 'application/json' is not supported: send application/jsonlines"),
        (LINES, "text/csv", b"accept 'text/csv' is not supported: ask for application/jsonlines"),
    ],
)
def test_another_format_is_refused_with_a_sentence(
    toolkit: Ask, local: Ask, content_type: str, accept: str, says: bytes
) -> None:
    for ask in (toolkit, local):
        status, _, body = ask(BODIES["one"], content_type, accept)
        assert status == 500
        assert body.startswith(says)


RECORDS = (
    st.binary(max_size=40)
    | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.builds(line, st.text(max_size=80).filter(lambda text: text.isascii() or text.isprintable()), st.text(max_size=5))
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9, alphabet=st.characters(codec="utf-8")),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["complaint_id", "text", "x"]), inner),
        max_leaves=5,
    ).map(lambda document: json.dumps(document).encode())
)


def test_whatever_the_lines_hold_each_gets_one_answer_in_its_place(model: Path) -> None:
    loaded = inference.model_fn(str(model))
    mark = {"complaint_id": "mark", "text": "no reconozco esta compra"}

    @settings(max_examples=150, deadline=None)
    @given(records=st.lists(RECORDS, max_size=6))
    def check(records: list[bytes]) -> None:
        lines = [record.replace(b"\n", b" ") for record in records]
        body = b"\n".join([*lines, json.dumps(mark).encode()]) + b"\n"
        answer, _ = inference.output_fn(inference.predict_fn(inference.input_fn(body, LINES), loaded), LINES)
        found = [json.loads(answered) for answered in answer.removesuffix("\n").split("\n")]
        assert len(found) == len(lines) + 1
        assert found[-1]["complaint_id"] == "mark"
        assert found[-1]["label"]
        for record in found:
            assert (record["error"] is None) == (record["label"] is not None)

    check()
