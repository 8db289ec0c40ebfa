# `make` lists what there is. Everything sets itself up on a machine with Go, Node 20, npm, gcc and
# make; what else is needed (Redis, Chromium, runc) is installed from Debian when run as root.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash -euo pipefail

version  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
buildvcs := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo auto || echo false)
go_build := CGO_ENABLED=0 go build -trimpath -buildvcs=$(buildvcs) -ldflags '-s -w -X github.com/pona-realtime/pona/pkg/settings.version=$(version)'

# A folder with package-lock.json is up to date when npm's own copy of it is newer.
node_packages := $(patsubst %package-lock.json,%node_modules/.package-lock.json,\
	$(shell find . -name node_modules -prune -o -name package-lock.json -print))

# The player page brings the official client along; its package ships it ready for browsers.
web        := services/devstack/web
web_client := $(web)/dist/socket.io.esm.min.js

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: up
up: bin/devstack ## run the whole system on this machine, with a simulated bot and a web player
	@.ci/need redis-server || echo "Going on with an embedded Redis."
	bin/devstack

.PHONY: test
test: check test-go fuzz e2e ## check everything, then run every test

.PHONY: check
check: $(node_packages) tools containers ## gofmt, vet, staticcheck, floors, generated code, go.mod files, known vulnerabilities
	@.ci/check

.PHONY: test-go
test-go: $(node_packages) build ## Go tests of all modules, with the race detector
	@.ci/need redis-server
	go test -race -shuffle=on $$(go list work | grep -v -e /test/clients -e /test/e2e -e /test/chaos -e /deploy/check)

.PHONY: fuzz
fuzz: ## every fuzz target of the workspace, FUZZTIME (20000x inputs, or a time) each
	@.ci/fuzz

.PHONY: e2e
e2e: $(node_packages) build bin/nats-server ## official clients and a browser against the built programs, and faults
	@.ci/need redis-server chromium
	go test -count=1 -shuffle=on ./test/clients # alone: its servers have half a second's patience
	go test -count=1 -shuffle=on ./test/e2e/... ./test/chaos/...
	go test -count=1 -run ManyNamespaces ./pkg/adapter/redisbus # a hundred thousand, too many for the race detector

.PHONY: chaos
chaos: $(node_packages) build bin/nats-server ## break everything under load and check every client's log; CHAOS has its flags
	@.ci/need redis-server
	$(go_build) -o bin/chaos ./test/chaos
	bin/chaos $(CHAOS)

.PHONY: soak
soak: $(node_packages) build bin/nats-server ## let clients of the pair come and go for MINUTES (10), plot memory, goroutines, descriptors; fail if any grows
	@.ci/need redis-server
	$(go_build) -o bin/chaos ./test/chaos
	bin/chaos soak --minutes $(or $(MINUTES),10)

.PHONY: churn
churn: ## let clients of the library come and go for CHURN (10m), under the race detector; nothing may be left
	PONA_CHURN=$(or $(CHURN),10m) go test -race -count=1 -timeout 0 -run TestChurn -v ./pkg/socketio

.PHONY: bench
bench: $(node_packages) build ## measure library and pair beside Node's socket.io; about 10 minutes
	@.ci/need redis-server
	$(go_build) -o bin/bench ./test/bench
	bin/bench

.PHONY: bench-attacks
bench-attacks: $(node_packages) build ## measure what others notice while one address attacks, Node's socket.io beside; about 8 minutes
	$(go_build) -o bin/bench ./test/bench
	bin/bench siege $(SIEGE)

.PHONY: bench-auth
bench-auth: ## measure what authorization and joining cost: calls, time, memory, namespaces, handshakes
	go test -run '^$$' -bench 'BadTokens|Memory' -benchtime 1x ./services/edge/auth
	go test -run '^$$' -bench 'Join$$' -benchtime 20x ./services/edge/auth
	go test -run '^$$' -bench Reconnect -benchtime 1x ./services/edge/app
	go test -run '^$$' -bench Namespace -benchtime 20000x -count 3 ./services/edge/gateway
	go test -run '^$$' -bench Enter -benchtime 1000x ./services/edge/guild

.PHONY: bench-fanout
bench-fanout: ## measure events, known guilds, a takeover and a storm of clients that come back; about 6 minutes
	go test -run '^$$' -bench ToTwoEdges -benchtime 100000x ./services/fanout/app
	go test -run '^$$' -bench AmongKnownGuilds -benchtime 50000x ./services/fanout/app
	go test -run '^$$' -bench Takeover -benchtime 1x -count 3 ./services/fanout/app
	go test -run '^$$' -bench Storm -benchtime 1x -count 3 ./services/edge/app

.PHONY: build
build: bin/devstack ## bin/edge, bin/fanout, bin/devstack, bin/pona-bench and what tests them
	$(go_build) -o bin/edge ./services/edge/cmd/edge
	$(go_build) -o bin/fanout ./services/fanout/cmd/fanout
	$(go_build) -o bin/pona-bench ./test/load/cmd/pona-bench
	$(if $(wildcard test/conformance/*.go),$(go_build) -o bin/conformance-server ./test/conformance)

# Go knows better than make what has changed.
.PHONY: bin/devstack
bin/devstack: $(web_client)
	$(go_build) -o $@ ./services/devstack/cmd/devstack

# A cluster of NATS servers, for chaos; the version is the one that everything else embeds.
bin/nats-server: test/go.mod
	cd test && $(go_build) -o ../$@ github.com/nats-io/nats-server/v2

.PHONY: conformance-server
conformance-server: build ## run the peer for an official client suite, such as SUITE=sio-client
	bin/conformance-server

.PHONY: proto
proto: proto/node_modules/.package-lock.json ## generate Go code from proto/
	.ci/proto

.PHONY: deploy-check
deploy-check: containers ## check images and run containers of them, check compose file, Kubernetes overlays, dashboards and alerts
	@.ci/deploy

.PHONY: containers
containers:
	@if [ "$$(id -u)" -eq 0 ]; then .ci/need redis-server runc; else echo "Containers are not run: runc needs root."; fi

.PHONY: k8s-verify
k8s-verify: $(addprefix bin/k8s/,etcd kube-apiserver controller-gen) ## have a real kube-apiserver take each overlay; its build takes about 5 minutes of 2 cores
	GOWORK=off go -C deploy/verify vet ./...
	GOWORK=off go -C deploy/verify build -o ../../bin/k8s/verify .
	bin/k8s/verify

# Not rebuilt but when their versions change. An apiserver must be told its own.
k8s_flags = -trimpath -buildvcs=false -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$$(GOWORK=off go -C deploy/verify list -m -f '{{.Version}}' k8s.io/kubernetes)"
bin/k8s/etcd: deploy/verify/go.mod
	GOWORK=off go -C deploy/verify build -trimpath -buildvcs=false -ldflags '-s -w' -o ../../$@ go.etcd.io/etcd/server/v3
bin/k8s/kube-apiserver: deploy/verify/go.mod
	GOWORK=off go -C deploy/verify build $(k8s_flags) -o ../../$@ k8s.io/kubernetes/cmd/kube-apiserver
bin/k8s/controller-gen: deploy/verify/go.mod
	GOWORK=off go -C deploy/verify build -trimpath -buildvcs=false -ldflags '-s -w' -o ../../$@ sigs.k8s.io/controller-tools/cmd/controller-gen

.PHONY: docs
docs: ## generate docs/settings.md, docs/metrics.md and docs/licenses.md from the programs
	go test -count=1 -run IsCurrent ./test/docs -update

.PHONY: tools
tools:
	@GOWORK=off go -C .ci/tools build -o ../../bin/tools/ tool

# No package's install script is run: none of ours needs one.
%/node_modules/.package-lock.json: %/package-lock.json
	cd $(<D) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(web_client): $(web)/node_modules/.package-lock.json $(web)/build.mjs
	cd $(web) && npm run --silent build
	@touch $@
