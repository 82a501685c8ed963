# One target per thing a person does. CI runs .ci/run, which runs test/run.

FUZZTIME ?= 10s
BENCH    ?= .
ROUNDS   ?= 50

.PHONY: run build deps lint test check cross fuzz bench peers crash clean

# Build the product and start the demonstration: a server on 127.0.0.1:3000
# with the Go chat module, and a chat page. Ctrl-C stops both.
run: build
	go build -o bin/chat-demo ./examples/chat/demo
	@bin/chat-demo

build: deps
	CGO_ENABLED=0 go build -o bin/spacetime ./cmd/spacetime

# The repaired WebAssembly engine; a second run does nothing.
deps:
	@go run ./tools/patchdeps

# Everything CI runs; see test/run for single stages.
test:
	@bash test/run

# What to run before each commit; a minute.
check: deps bin/staticcheck
	@changed=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$changed" || { echo "gofmt would change: $$changed"; exit 1; }
	go vet ./...
	bin/staticcheck ./...
	go test -short ./...

bin/staticcheck: tools/lint/go.mod
	cd tools/lint && GOWORK=off go build -o ../../bin/staticcheck honnef.co/go/tools/cmd/staticcheck

cross:
	@bash test/run cross

# Every fuzz target for FUZZTIME.
fuzz: deps
	@bash tools/fuzz.sh $(FUZZTIME)

# The benchmarks beside the code, then the whole product.
bench: build
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...
	bench/run --alone

# The transfer benchmark beside Redis and PostgreSQL, in one run.
peers: build
	bench/run

# Kill the server under load again and again and count what it lost.
crash: build
	SPACETIME=$(CURDIR)/bin/spacetime test/crash/run -rounds $(ROUNDS)

clean:
	rm -rf bin .work
