# The everyday verbs. `make help` lists them.

GO       ?= go
FUZZTIME ?= 30s
BENCH    ?= .
DIST     ?= dist

.DEFAULT_GOAL := help
.PHONY: help build run test race lint fmt bench fuzz ci deb rpm image release clean FORCE

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z ]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build ./pando
	$(GO) build -o pando .

run: ## start a server on 127.0.0.1:2379, data in default.pando
	$(GO) run .

# Most tests wait, so more of them run at once than there are processors.
test: ## run all tests
	$(GO) test -p 3 -parallel 4 ./...

race: ## run the short tests with the race detector
	CGO_ENABLED=1 $(GO) test -p 3 -parallel 4 -race -short ./...

lint: ## check formatting, vet, staticcheck
	@files="$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go'))"; \
	if [ -n "$$files" ]; then echo "not formatted, run make fmt:"; echo "$$files"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

fmt: ## format all Go files
	gofmt -w $$(git ls-files -co --exclude-standard '*.go')

bench: ## run the benchmarks; BENCH=regexp picks some
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

# Without a bound, minimizing each new input takes nearly all the time.
fuzz: ## run every fuzz target for FUZZTIME each (default 30s)
	@for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$pkg || exit 1; \
		done; \
	done

ci: ## run everything that a change has to pass, and install the programs that tests need
	.ci/run

deb rpm: $(DIST)/build/linux-amd64/pando $(DIST)/build/linux-arm64/pando ## make the packages in dist/, for amd64 and arm64
	$(GO) run ./docs/deploy/package build $(DIST) $@

image: ## make the container image in dist/, for amd64 and arm64
	DIST=$(DIST) PLATFORMS="linux/amd64 linux/arm64" docs/deploy/release/release.sh binaries image

# The program for a platform, such as dist/build/linux-amd64/pando.
$(DIST)/build/%/pando: FORCE
	docs/deploy/build.sh binary $(subst -, ,$*) $@

FORCE:

# What the verbs make in dist/. DIST may name a directory with other files, which stay.
MADE = $(DIST)/build $(DIST)/pando[-_]* $(DIST)/SHA256SUMS

# Every published file. It is the same, byte for byte, for the same commit and the same version of Go.
release: ## make everything that is published in dist/, of the version that HEAD is tagged with
	rm -rf $(MADE)
	DIST=$(DIST) docs/deploy/release/release.sh binaries archives image sbom
	$(MAKE) deb rpm
	DIST=$(DIST) docs/deploy/release/release.sh checksums

clean: ## remove the binary, what the verbs made in dist/, and Go's test cache (never data directories)
	rm -f pando
	rm -rf $(MADE)
	@rmdir $(DIST) 2>/dev/null || :
	$(GO) clean -testcache
