SWIFT ?= swift
# A binary in release mode, for everything but the tests.
PORT = .build/release/port
MODEL = Fixtures/models/tiny-qwen2

.PHONY: demo test build lint interop arm64 mutation faults fuzz bench zstd

## Converts a bundled trained checkpoint to GGUF Q8_0, verifies it and shows the verdict.
demo: build
	@mkdir -p .build/demo
	$(PORT) inspect $(MODEL)
	$(PORT) convert $(MODEL) --to gguf --quantize q8_0 -o .build/demo/tiny-qwen2.q8_0.gguf --force
	$(PORT) verify $(MODEL) .build/demo/tiny-qwen2.q8_0.gguf

## Runs all tests.
test: zstd
	$(SWIFT) build
	$(SWIFT) test --disable-xctest

build: zstd
	$(SWIFT) build -c release --product port

lint:
	$(SWIFT) format lint --strict -r Package.swift Sources Tests

## Lets the peers from PyPI read and judge what port writes.
interop: build
	bash Tests/Interop/run.sh

## Runs the kernels for arm64 in an emulator and compares their bytes with those of x86-64 (Debian, Ubuntu).
arm64:
	bash Tests/Interop/arm64.sh

## Puts faults into correct conversions and prints how many port verify finds and names.
mutation: zstd
	PORT_LONG_TESTS=1 $(SWIFT) test -c release -Xswiftc -enable-testing \
	  --scratch-path .build/mutation --filter 'MutationTests|NoFalseAlarm' --disable-xctest

## Lets every system call of a conversion fail, and kills it everywhere (Linux; needs strace).
faults: build
	bash Tests/Faults/run.sh

## Times port against its peers, interleaved.
bench: build
	bash Tests/Benchmarks/run.sh

## Fuzzes every parser of untrusted bytes, a minute each.
fuzz: zstd
	bash Tests/Fuzz/run.sh

## Installs libzstd-dev where it is missing (Debian, Ubuntu; macOS: brew install zstd).
zstd:
	@pkg-config --exists libzstd 2>/dev/null || test -e /usr/include/zstd.h || \
	  { sudo=$$(command -v sudo || true); \
	    if command -v apt-get >/dev/null; then $$sudo apt-get update -qq && $$sudo apt-get install -y -qq libzstd-dev >/dev/null; \
	    elif command -v brew >/dev/null; then brew install zstd pkg-config; \
	    else echo "please install the zstd headers" >&2; exit 1; fi; }
