# One target per thing a person does. CI runs .ci/run, which runs test/run.

FUZZTIME ?= 10s
BENCH    ?= .
ROUNDS   ?= 50
RUNS     ?= 20000
SEED     ?= 1
CRATES   ?= 1.0.0 1.1.0+ 1.4.0 1.6.0+ 1.8.0+ 1.10.0 1.11.3 1.12.0+ 2.0.1 2.0.5+ 2.1.0 2.4.1+ 2.8.3+ 2.10.1 2.11.0 2.13.0+ 2.14.0+
RUST_SDKS ?= 1.8.0 1.11.3 1.12.0 2.0.5 2.8.3 2.10.1 2.14.0
VERSION  ?= 0.0.0-devel
OUT      ?= dist/release

.PHONY: run build deps test check cross release image-root image fuzz bench peers crash powercut soak fanout rust-sdks frameworks codegen-rust clean help

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

# What is released as VERSION, for every system, into OUT: archives, programs and
# checksums, and the installer scripts that find them there.
release: deps
	go run ./tools/release -version $(VERSION) -out $(OUT)
	cp install/install.sh install/install.ps1 $(OUT)/

# The file system of the container image, around the program of `make build`. It has
# the certificates of this machine, for what modules ask of the network.
IMAGE    ?= bin/image
PROGRAM  ?= bin/spacetime
image-root: $(if $(filter bin/spacetime,$(PROGRAM)),build)
	rm -rf $(IMAGE)
	mkdir -p $(IMAGE)/usr/local/bin $(IMAGE)/home/spacetime $(IMAGE)/app $(IMAGE)/etc/ssl/certs
	mkdir -m 1777 $(IMAGE)/tmp
	cp $(PROGRAM) $(IMAGE)/usr/local/bin/spacetimedb-cli
	ln -s spacetimedb-cli $(IMAGE)/usr/local/bin/spacetime
	echo 'spacetime:x:1000:1000::/home/spacetime:/bin/false' >$(IMAGE)/etc/passwd
	echo 'spacetime:x:1000:' >$(IMAGE)/etc/group
	-cp /etc/ssl/certs/ca-certificates.crt $(IMAGE)/etc/ssl/certs/

# The container image, built without a daemon.
image: image-root
	buildah bud --isolation chroot --storage-driver vfs -t spacetime .

# Every fuzz target for FUZZTIME.
fuzz: deps
	@bash tools/fuzz.sh $(FUZZTIME)

# The benchmarks beside the code, then the whole product.
bench: build
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...
	bench/run --alone
	bench/fanout/run

# The official Rust SDK, release by release, with and without its unstable part.
rust-sdks: build
	SPACETIME=$(CURDIR)/bin/spacetime VERSIONS="$(CRATES)" test/rust/run

# The templates of `spacetime init` whose frameworks take minutes to install and to
# build, each used in a browser or by its runtime.
frameworks: build
	SPACETIME=$(CURDIR)/bin/spacetime ONLY="@(angular|astro|deno|nextjs|nuxt|remix|tanstack)-ts" test/templates/run

# The transfer benchmark beside Redis and PostgreSQL, in one run.
peers: build
	bench/run

# Kill the server under load again and again and count what it lost.
crash: build
	SPACETIME=$(CURDIR)/bin/spacetime test/crash/run -rounds $(ROUNDS)

# Let a whole database live on a disk that fails, RUNS times from SEED on; a
# failure prints the seed to repeat it with.
powercut: deps
	POWERCUT_RUNS=$(RUNS) POWERCUT_SEED=$(SEED) go test -count=1 -timeout 0 -v -run '^TestPowerCuts$$' ./internal/host

# Bindings for every release of the Rust SDK that matters, compiled and run; CI
# tries two of them.
codegen-rust: build
	ONLY=rust RUST_SDKS="$(RUST_SDKS)" test/codegen/run

# 500 connections of every kind for two minutes; the memory must stay flat.
soak: build
	test/soak/run 500 2m

# One writer and 1 to 1,000 subscribers; part of make bench.
fanout: build
	bench/fanout/run

clean:
	rm -rf bin .work

help:
	@echo 'make run     the demonstration: a server with the chat module, and a chat page'
	@echo 'make build   bin/spacetime'
	@echo 'make test    everything CI runs'
	@echo 'make check   the quick part of it, before each commit'
	@echo 'make cross   builds for every system we ship'
	@echo 'make release VERSION=1.2.3  archives for every system, with checksums'
	@echo 'make image   the container image, with buildah'
	@echo 'make fuzz    every fuzz target for FUZZTIME=$(FUZZTIME)'
	@echo 'make bench   benchmarks; make peers adds Redis and PostgreSQL'
	@echo 'make crash   kills the server under load, ROUNDS=$(ROUNDS) times'
	@echo 'make soak    500 connections of every kind for two minutes; the memory must stay flat'
	@echo 'make fanout  one writer and 1 to 1,000 subscribers'
	@echo 'make powercut  databases on a failing disk, RUNS=$(RUNS) times from SEED=$(SEED)'
	@echo 'make rust-sdks  modules of the official Rust crates, CRATES=…'
	@echo 'make frameworks the large templates of spacetime init'
	@echo 'make codegen-rust  the Rust bindings against RUST_SDKS=$(RUST_SDKS)'
	@echo 'make clean   removes what the others have made'
