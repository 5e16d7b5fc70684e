# make test is for everybody: it needs nothing but Go, takes six minutes the first time on a
# machine of two cores, and says at its end what it leaves out. make ci is all of it,
# which .ci/run calls: it installs missing programs where it can; where it cannot, it
# prints which tests it skips and why. The test runner's own lines come last.

FUZZTIME ?= 5s
# Where the programs must build; tests run on linux.
PLATFORMS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64

# Where .ci/deps puts what Debian does not have, and make ci what it compiles.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/telemetry-server
export PATH := $(CACHE)/bin:$(PATH)
# What make ci compiles, for four platforms and with the race detector, and the corpora
# of the fuzzer stay out of the user's build cache. .ci/run passes that of its machine.
CI_GOCACHE ?= $(CACHE)/go-build

.PHONY: build test ci deps format check fuzz release release-check memory race bench-peers bench-million bench-acquire bench-page screenshots clean clean-ci
.NOTPARALLEL: ci

build:
	go build -ldflags="-s -w" -o bin/ ./cmd/...

# go vet, which analyses the libraries too, is left to make ci.
test: format
	go test -short -vet=off ./...
	@.ci/left-out

ci: export GOCACHE := $(CI_GOCACHE)
ci: deps check fuzz release-check memory race

deps:
	@.ci/deps

format:
	@bad=$$(gofmt -l .); test -z "$$bad" || { echo 'not gofmt-ed:' $$bad; exit 1; }

check: format
	@echo '== go mod tidy, vet, staticcheck'
	go mod tidy -diff
	@for p in $(PLATFORMS); do echo "go vet ./...  # $$p"; GOOS=$${p%/*} GOARCH=$${p#*/} go vet ./... || exit 1; done
	go tool staticcheck ./...

# Every fuzz target of the repository, for some seconds each.
fuzz:
	@.ci/fuzz $(FUZZTIME)

# What the race detector would falsify.
memory:
	go test -run Memory ./cmd/tmserver

# Without atexit_sleep_ms the race detector lets every process sleep for a second at
# its end. These are all tests, those of make test included.
race:
	GORACE=atexit_sleep_ms=10 go test -race -timeout 40m ./...

# What is published, in dist/: archives, Debian packages, images, bills of materials, sums.
release:
	@.ci/release

release-check:
	@echo '== make release, twice; the package installed and removed'
	@.ci/release-check

# The same jobs in DuckDB and in Node, on the same segments.
bench-peers:
	@.ci/bench-peers

# A million pings in columns: half an hour or more, 3 GB of disk.
bench-million:
	@.ci/bench-million

# Submissions per second, compared with servers that never sync.
bench-acquire:
	@.ci/bench-acquire

# First paint and choices in the explorer over a million pings: ten minutes, 1 GB of disk.
bench-page:
	@.ci/bench-page

# Pictures of every view of the web page, in dist/screenshots, to look at.
screenshots:
	@.ci/screenshots

clean:
	rm -rf bin dist

# Removes what make ci fetched and compiled.
clean-ci:
	rm -rf $(CACHE)
