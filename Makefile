# The everyday verbs. `make help` lists them.

GO       ?= go
FUZZTIME ?= 30s
BENCH    ?= .

.DEFAULT_GOAL := help
.PHONY: help build run test race lint fmt bench fuzz ci clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

clean: ## remove the binary and Go's test cache (never data directories)
	rm -f pando
	$(GO) clean -testcache
