# The tools run as modules at pinned versions, so nothing but Go has to be installed; for race and check,
# also a C compiler.
STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
UNPARAM := go run mvdan.cc/unparam@v0.0.0-20260823230713-2fa3d841b0c8
DEADCODE := go run golang.org/x/tools/cmd/deadcode@v0.52.0
GOCYCLO := go run github.com/fzipp/gocyclo/cmd/gocyclo@v0.6.0
ACTIONLINT := go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.10 -shellcheck= -pyflakes=
FUZZTIME ?= 30s

# What tests run beside Go: without these they are skipped, but not where CI is set.
HELM := helm.sh/helm/v3/cmd/helm@v3.22.0
PROMTOOL := github.com/prometheus/prometheus/cmd/promtool@v0.316.0
TOOLS := $(CURDIR)/bin/tools
export PATH := $(TOOLS):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help tools build check fmt tidy vet lint test race cover fuzz bench chaos figures real browser update judge demo licences release reproducible

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

tools: ## install helm and promtool into bin/tools, for the tests of the chart and of the alerts
	GOBIN=$(TOOLS) go install $(HELM)
	GOBIN=$(TOOLS) go install -tags remove_all_sd $(PROMTOOL)

build: ## build one static binary, bin/harfangsync
	CGO_ENABLED=0 go build -trimpath -ldflags=-s -o bin/harfangsync ./cmd/harfangsync

licences: ## rewrite deploy/THIRD_PARTY_LICENCES, which travels with every binary
	.ci/licences >cmd/harfangsync/deploy/THIRD_PARTY_LICENCES.new && mv cmd/harfangsync/deploy/THIRD_PARTY_LICENCES.new cmd/harfangsync/deploy/THIRD_PARTY_LICENCES

release: ## build what a release of the checked-out commit consists of into dist/
	.ci/release dist

reproducible: ## build a release for one platform twice, in two places and from nothing, compare the bytes, and try its packages
	@set -e; dir=$$(mktemp -d); trap 'chmod -R u+w "$$dir"; rm -rf "$$dir"' EXIT; mkdir "$$dir/elsewhere"; \
	WITHOUT_SBOM=1 .ci/release "$$dir/one" linux/amd64; \
	WITHOUT_SBOM=1 TMPDIR="$$dir/elsewhere" GOCACHE="$$dir/cache" .ci/release "$$dir/two" linux/amd64; \
	diff -r "$$dir/one" "$$dir/two" && echo "the bytes are the same"; .ci/try-packages "$$dir/one"

check: tools fmt tidy vet lint race ## what CI runs: format, tidy, vet, staticcheck, race tests

fmt:
	@out=$$(gofmt -l cmd reconcile sources sinks); if [ -n "$$out" ]; then echo "gofmt -w $$out"; exit 1; fi

tidy:
	go mod tidy -diff

vet:
	go vet ./...

lint:
	$(STATICCHECK) ./...
	$(UNPARAM) ./...
	$(GOCYCLO) -over 19 -ignore _test.go .
	@dead=$$($(DEADCODE) ./cmd/... && $(DEADCODE) -test ./...) && [ -z "$$dead" ] || { echo "unreachable, or only from tests: $$dead"; exit 1; }
	$(ACTIONLINT) $(wildcard .github/workflows/*.yml) $(filter-out %/gitlab-ci.yml,$(wildcard .github/examples/*.yml))

test: ## run all tests, the fault matrix by a sample: make chaos (-chaos) tries the whole
	go test -timeout 30m ./...

race: ## run all tests under the race detector, which needs a C compiler
	@[ "$$(go env CGO_ENABLED)" = 1 ] && command -v $$(go env CC) >/dev/null || { echo "the race detector needs a C compiler and CGO_ENABLED=1; make test needs neither"; exit 1; }
	go test -race -timeout 60m ./...

cover: ## write coverage.out and print the total
	go test -coverprofile=coverage.out ./...
	go tool cover -func=coverage.out | tail -n 1

# Go's fuzzer sometimes takes the end of FUZZTIME for a failure of its own ("context deadline exceeded", without an
# input that fails; golang/go#75804): then the target runs once more. Everything else that fails, fails.
fuzz: ## run every fuzz target for FUZZTIME
	@set -e; log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	one() { echo "$$1 in $$2"; go test -run '^$$' -fuzz "^$$1\$$" -fuzztime $(FUZZTIME) "./$$2" >"$$log" 2>&1 && rc=0 || rc=1; cat "$$log"; return $$rc; }; \
	late() { grep -q '^ *context deadline exceeded$$' "$$log" && ! grep -q 'Failing input' "$$log"; }; \
	grep -rl --include='*_test.go' '^func Fuzz' cmd reconcile sources sinks | while read -r f; do \
		for t in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$f"); do \
			d=$$(dirname "$$f"); one "$$t" "$$d" || { late && one "$$t" "$$d"; }; \
		done; \
	done

bench: ## measure the budgets; exits non-zero over budget; BENCH=-short leaves out the first load of a million
	go run ./cmd/bench $(BENCH)

chaos: ## every fault on every request, kills at 50 moments, and the proof that a missing safety rule is noticed
	go test ./cmd/harfangsync -run 'TestFaultMatrix|TestLies|TestAny|TestKilledAtAnyMoment|TestAlertsImportedTwice|TestAPausedRun|TestSpellings' -chaos -v -timeout 60m
	go test ./cmd/harfangsync -tags harfangsync_failpoints -run TestEveryFailpointIsMissed

figures: ## measure, try every fault, and write what came of it to cmd/bench/README.md and cmd/harfangsync/FAULTS.md
	go run ./cmd/bench -page cmd/bench/README.md
	go test ./cmd/harfangsync -run TestFaultMatrix -chaos -update -timeout 60m

real: ## the whole program against the throw-away OpenCTI of OPENCTI_URL and OPENCTI_TOKEN; see .github/CONTRIBUTING.md
	go test ./cmd/harfangsync -run TestRealPlatform -real -v -count=1 -timeout 60m

browser: ## open plans as pages in Chromium, which must be installed; what it saw goes to BROWSER_ARTIFACTS
	go vet -tags browser ./reconcile/render
	go test -tags browser ./reconcile/render -run TestBrowser -count=1

update: ## rewrite the golden files; review the diff
	go test ./reconcile/render ./cmd/config ./cmd/harfangsync ./sources/stix -update

judge: ## write down anew what pySigma, the reference, says of random Sigma rules and events; needs Python and its packages
	python3 -m venv .judge && .judge/bin/pip install --quiet --requirement testdata/sigma/requirements.txt
	TEST_JUDGE="$(CURDIR)/.judge/bin/python ../../testdata/sigma/judge.py" go test ./sources/sigma -run Another -count=1 -v -update

demo: ## run the whole job against built-in simulators
	go run ./cmd/harfangsync demo
