# tapedeck: build, test and install. `make help` lists the targets.
SWIFT ?= swift
PREFIX ?= /usr/local
PYTHON ?= python3
SUDO ?= $(if $(filter 0,$(shell id -u)),,sudo)
VENV := .venv

# What building needs (libraries), and what the demo and the tests use beside it.
BUILD_PACKAGES := libsqlite3-dev libzstd-dev libcurl4-openssl-dev pkg-config
TEST_PACKAGES := zstd sqlite3 curl openssl nginx-light gcc libc6-dev python3 python3-venv node-har-schema prometheus chromium

BUILD_FLAGS := --explicit-target-dependency-import-check error
# The recording path is owned by one thread, and exclusivity checks were a quarter of its
# instructions; debug builds and tests keep them.
RELEASE_FLAGS := -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked
# A command takes some milliseconds, and one of them went on 97,000 relocations of 24 bytes. The toolchain's own linker
# packs them into a few kilobytes; the default one cannot.
ifeq ($(shell uname -s),Linux)
RELEASE_FLAGS += -Xswiftc -Xclang-linker -Xswiftc -fuse-ld=lld -Xlinker -z -Xlinker pack-relative-relocs
# Half of another is the loading of the C++ library that the Swift runtime is built on: it is linked in like the runtime,
# from a folder that is searched first and has nothing but the archive.
LIBRARIES := $(CURDIR)/.build/libraries
RELEASE_FLAGS += -Xswiftc -L -Xswiftc $(LIBRARIES) -Xlinker -l:libgcc_eh.a -Xlinker --as-needed
endif

.PHONY: help deps demo build release test test-unit test-clients protos fuzz sanitize sanitize-address sanitize-thread soak soak-proxy faults lint format bench screenshots install clean check-tools

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

deps: ## install the Debian packages that building and testing need (root or sudo)
	@missing=$$(dpkg-query -W -f='$${db:Status-Abbrev} $${Package}\n' $(BUILD_PACKAGES) $(TEST_PACKAGES) 2>&1 | grep -v '^ii' || true); \
	if [ -n "$$missing" ]; then \
	  $(SUDO) apt-get update -q && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -q --no-install-recommends $(BUILD_PACKAGES) $(TEST_PACKAGES); \
	fi

check-tools:
	@command -v $(SWIFT) >/dev/null || { echo "tapedeck: no '$(SWIFT)' on PATH; install Swift 6.2 or newer from swift.org" >&2; exit 1; }
	@for library in libzstd libcurl sqlite3; do \
	  pkg-config --exists $$library 2>/dev/null || { echo "tapedeck: the $$library headers are missing; run 'make deps' (needs root or sudo)" >&2; exit 1; }; \
	done

build: check-tools
	$(SWIFT) build $(BUILD_FLAGS)

demo: build ## the main job from end to end, without network or key
	@$$($(SWIFT) build $(BUILD_FLAGS) --show-bin-path)/tapedeck demo

test: test-unit test-clients ## every test

test-unit: check-tools
	$(SWIFT) test $(BUILD_FLAGS)

protos: check-tools $(VENV)/ready ## the Swift code of the OTLP messages, anew (needs protobuf-compiler)
	$(SWIFT) build --scratch-path .build-protos --product protoc-gen-swift
	$(VENV)/bin/python Sources/TapeOTLP/Generated/generate.py \
	  $$($(SWIFT) build --scratch-path .build-protos --product protoc-gen-swift --show-bin-path)/protoc-gen-swift

SEED ?= $(shell date +%s)
STEPS ?= 100000

soak: check-tools ## a long simulation of traffic, faults and restarts: SEED=… STEPS=…
	TAPEDECK_SOAK_SEED=$(SEED) TAPEDECK_SOAK_STEPS=$(STEPS) $(SWIFT) test $(BUILD_FLAGS) --filter TapeSimulationTests

MINUTES ?= 20

soak-proxy: release ## 256 streams through a proxy that is killed again and again: is all on tape that clients got? MINUTES=… SEED=…
	Tests/Soak/proxy.py --minutes $(MINUTES) --seed $(SEED)

faults: build $(VENV)/ready ## every fault at every operation, where `make test` takes some: about an hour
	TAPEDECK_ALL_FAULTS=1 $(SWIFT) test $(BUILD_FLAGS) --filter 'TapeArchiveTests|TapeIndexerTests'
	TAPEDECK_ALL_FAULTS=1 TAPEDECK_BIN=$$($(SWIFT) build $(BUILD_FLAGS) --show-bin-path) \
	  $(VENV)/bin/python -m pytest -q Tests/EndToEnd/test_durability.py Tests/EndToEnd/test_upkeep_kills.py

$(VENV)/ready: Tests/EndToEnd/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

test-clients: build $(VENV)/ready
	TAPEDECK_BIN=$$($(SWIFT) build $(BUILD_FLAGS) --show-bin-path) $(VENV)/bin/python -m pytest -q Tests/EndToEnd Tests/Bench

fuzz: check-tools ## look for inputs that break a decoder: make fuzz TARGET=journal SECONDS=600
	SWIFT=$(SWIFT) SECONDS_EACH=$(or $(SECONDS),60) Tests/Fuzz/run $(TARGET)

SANITIZER_FLAGS = $(BUILD_FLAGS) --scratch-path .build-$* --sanitize $*

sanitize: sanitize-address sanitize-thread ## the unit tests under AddressSanitizer and ThreadSanitizer: FILTER=…

sanitize-address: PREPARED = ASAN_OPTIONS=detect_leaks=0
sanitize-thread: PREPARED = LD_PRELOAD=$(CURDIR)/.build-thread/mutex.so TSAN_OPTIONS=suppressions=$(CURDIR)/Tests/ThreadSanitizer/suppressions

# ThreadSanitizer has to be told of locks that were waited for (Tests/ThreadSanitizer/mutex.c), and nobody but the tests
# is to load what does that: so they are run without `swift test`.
sanitize-address sanitize-thread: sanitize-%: check-tools
	$(SWIFT) build --build-tests $(SANITIZER_FLAGS)
	$(if $(filter thread,$*),clang -shared -fPIC -O1 -o .build-thread/mutex.so Tests/ThreadSanitizer/mutex.c -ldl)
	$(PREPARED) $$($(SWIFT) build $(SANITIZER_FLAGS) --show-bin-path)/tapedeckPackageTests.xctest \
	  --testing-library swift-testing $(if $(FILTER),--filter '$(FILTER)')

lint: check-tools ## formatting and style
	$(SWIFT) format lint --strict -r Package.swift Sources Tests

format: check-tools
	$(SWIFT) format -i -r Package.swift Sources Tests

release: check-tools ## optimised binaries in .build/release
ifdef LIBRARIES
	@mkdir -p $(LIBRARIES) && ln -sf $$($(CC) -print-file-name=libstdc++.a) $(LIBRARIES)/
endif
	$(SWIFT) build $(RELEASE_FLAGS)

bench: release ## every target beside its floor and peers, as a markdown table: FLAGS='--only proxy,replay --rounds 5'
	Tests/Bench/run $(FLAGS)

screenshots: build $(VENV)/ready ## pictures of the dashboards in dashboards/screenshots, of every page of the web UI in .build/screenshots
	TAPEDECK_BIN=$$($(SWIFT) build $(BUILD_FLAGS) --show-bin-path) $(VENV)/bin/python dashboards/screenshots.py
	TAPEDECK_BIN=$$($(SWIFT) build $(BUILD_FLAGS) --show-bin-path) TAPEDECK_SCREENSHOTS=.build/screenshots \
	  $(VENV)/bin/python -m pytest -q Tests/EndToEnd/test_web.py -k picture

COMPLETIONS = $(INSTALL_BIN)/tapedeck-live --generate-completion-script
DEST = $(DESTDIR)$(PREFIX)

install: release ## binaries, completions, man pages and a systemd unit under PREFIX
	$(eval INSTALL_BIN := $(shell $(SWIFT) build $(RELEASE_FLAGS) --show-bin-path))
	install -d $(DEST)/bin $(DEST)/libexec/tapedeck $(DEST)/share/man/man1 $(DEST)/lib/systemd/user \
	  $(DEST)/share/bash-completion/completions $(DEST)/share/zsh/site-functions $(DEST)/share/fish/vendor_completions.d
	install -s -m 755 $(INSTALL_BIN)/tapedeck $(DEST)/bin/tapedeck
	install -s -m 755 $(INSTALL_BIN)/tapedeck-live $(DEST)/libexec/tapedeck/tapedeck-live
	$(COMPLETIONS) bash > $(DEST)/share/bash-completion/completions/tapedeck
	$(COMPLETIONS) zsh > $(DEST)/share/zsh/site-functions/_tapedeck
	$(COMPLETIONS) fish > $(DEST)/share/fish/vendor_completions.d/tapedeck.fish
	$(PYTHON) Sources/TapeCommands/manual.py $(INSTALL_BIN)/tapedeck-live $(DEST)/share/man/man1
	sed 's|@PREFIX@|$(PREFIX)|' Sources/TapeCommands/tapedeck.service > $(DEST)/lib/systemd/user/tapedeck.service

clean:
	rm -rf .build $(VENV)
