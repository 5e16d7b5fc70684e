# make test is what CI runs. It installs missing programs where it can; where it cannot,
# it prints which tests it skips and why. The test runner's own lines come last.

FUZZTIME ?= 5s
# Where the programs must build; tests run on linux.
PLATFORMS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64

# Where .ci/deps puts the programs that Debian does not have.
export PATH := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/telemetry-server/bin:$(PATH)

.PHONY: build test deps check fuzz race bench-peers bench-acquire clean

build:
	go build -o bin/ ./cmd/...

test: deps check fuzz race

deps:
	@.ci/deps

check:
	@echo '== gofmt, go mod tidy, vet, staticcheck'
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo 'not gofmt-ed:'; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go mod tidy -diff
	@for p in $(PLATFORMS); do echo "go vet ./...  # $$p"; GOOS=$${p%/*} GOARCH=$${p#*/} go vet ./... || exit 1; done
	go tool staticcheck ./...

# Every fuzz target of the repository, for some seconds each.
fuzz:
	@.ci/fuzz $(FUZZTIME)

# Without atexit_sleep_ms the race detector lets every process sleep for a second at
# its end.
race:
	GORACE=atexit_sleep_ms=10 go test -race -timeout 20m ./...

# The same jobs in DuckDB and in Node, on the same segments.
bench-peers:
	@.ci/bench-peers

# Submissions per second, compared with servers that never sync.
bench-acquire:
	@.ci/bench-acquire

clean:
	rm -rf bin
