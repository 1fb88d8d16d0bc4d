# The everyday commands. Continuous integration runs .ci/run: all of `make check` but
# the race detector, then a few seeds of every scenario, and planted bugs.

GO      ?= go
GOBIN   := $(shell $(GO) env GOPATH)/bin
LINTER  := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
LINT    := $(GOBIN)/golangci-lint
# Packages in which real goroutines meet: Pebble's under the engine and the disk, and so
# under stores and scenarios.
RACE    ?= ./sim/... ./nodes/engine/... ./nodes/raftstore/... ./scenarios/...
FUZZTIME ?= 20s
BENCH   ?= .
COUNT   ?= 6

.PHONY: all build test check vet lint tools race tidy generate bench fuzz hunt picture clean

all: build test

build:
	$(GO) build -o bin/simrun ./cmd/simrun

test:
	$(GO) test ./...

# Everything that must hold before a change goes in.
check: vet lint test race tidy generate

vet:
	$(GO) vet ./...

lint: tools
	$(LINT) run ./...
	PATH="$(GOBIN):$$PATH" $(GO) test -run Guard .

# The linter is built from source at a fixed version, so that its findings do
# not change on their own.
tools:
	@$(LINT) version 2>/dev/null | grep -q "$(lastword $(subst @v, ,$(LINTER)))" || $(GO) install $(LINTER)

race:
	$(GO) test -race -short $(RACE)
	$(GO) test -race -run TestOneTraceEverywhere ./scenarios/determinism

tidy:
	$(GO) mod tidy -diff

# Fails if a generator changes a file, not if there are changes already.
generate:
	@before="$$(git diff | cksum)"; $(GO) generate ./...; \
	  test "$$before" = "$$(git diff | cksum)" || { git diff --stat; echo "go generate changed files"; exit 1; }

# For a comparison keep the output of two runs and give them to benchstat.
bench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) ./...

# Each fuzz target of each package in turn: go test runs one at a time.
fuzz:
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done

# The picture in README, drawn anew. It needs chromium. The comment below the picture
# names the trace that it shows; a test compares it with the trace of the verdict above.
CHROMIUM ?= chromium
picture: build
	bin/simrun run bank --seed 7 --out out/picture
	$(CHROMIUM) --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1400,1000 --virtual-time-budget=5000 \
	  --screenshot=docs/report.png file://$(CURDIR)/out/picture/report.html
	trace="$$(sed -n 's/^  "hash": "\(.*\)",$$/\1/p' out/picture/trace.json)" && \
	  sed "s/^<!-- report.png: trace .* -->$$/<!-- report.png: trace $$trace -->/" README.md > out/README.md && cp out/README.md README.md

# Ten minutes of seeds of one scenario: make hunt SCENARIO=register
SCENARIO ?= bank
hunt: build
	bin/simrun hunt $(SCENARIO) --for 10m

clean:
	rm -rf bin out
