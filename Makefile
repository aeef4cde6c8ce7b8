# Everything a developer runs by hand; .ci/run puts the same targets in a row.

GO       ?= go
BROKERS  ?= 1
SEEDS    ?= 100
PACKAGES ?= ./...

KAFKAD   := $(GO) run ./internal/kafkatest/kafkad
LINTER   := bin/golangci-lint
# The packages whose test programs hold internal/kafkatest, which is where tests get brokers from: all others do not touch any. Backwards, so that
# service comes first: it takes longest, the others run beside it.
ON_BROKERS = $(GO) list -test -f '{{$$p := .ImportPath}}{{range .Deps}}{{println . $$p}}{{end}}' $(PACKAGES) | \
	sed -En 's,^[^ ]*/internal/kafkatest (.* )?([^ ]+)\.test$$,\2,p' | sort -ru
ADDRESSES = $(or $(MUSTER_BROKERS),127.0.0.1:9092)

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: test
test: ## all tests on embedded brokers: needs only Go
	$(GO) test $(PACKAGES)

.PHONY: race
race: ## the same under the race detector
	$(GO) test -race $(PACKAGES)

.PHONY: adapters
adapters: ## the KMS adapters, which are modules of their own
	@for module in kms/*/; do echo "$$module"; (cd "$$module" && $(GO) vet ./... && $(GO) test ./...) || exit 1; done

.PHONY: vectors
vectors: ## Wycheproof's vectors of AES-GCM, a module of its own: downloads 23 MB once
	cd crypto/wycheproof && $(GO) mod download && $(GO) vet ./... && $(GO) test ./...

.PHONY: test-kafka
test-kafka: ## those that use brokers on real Kafka: at MUSTER_BROKERS, or what `make kafka` started
	@$(KAFKAD) ping "$(ADDRESSES)"
	@packages=$$($(ON_BROKERS)) && test -n "$$packages" && set -x && \
	MUSTER_BROKERS="$(ADDRESSES)" MUSTER_KAFKA_REAL=1 $(GO) test -count=1 -p 2 -parallel 4 -timeout 20m $$packages

.PHONY: kafka
kafka: ## start Apache Kafka on 127.0.0.1:9092, BROKERS=3 also on 9094 and 9096; needs Java 17 and Maven
	@$(KAFKAD) -brokers $(BROKERS) start

.PHONY: kafka-stop
kafka-stop: ## stop what `make kafka` started
	@$(KAFKAD) stop

.PHONY: bench
bench: ## all benchmarks on an embedded broker, into out/bench.json; on real Kafka: go run ./bench -brokers ADDR -run all
	@mkdir -p out
	$(GO) run ./bench -embedded -run all -json out/bench.json

.PHONY: mutants
mutants: ## plant known defects, one at a time, and see each one found by a test: internal/mutant
	$(GO) run ./internal/mutant/gate

.PHONY: sim
sim: ## the whole system under SEEDS random plans of faults: internal/sim
	$(GO) test ./internal/sim -run TestSeeds -count=1 -timeout 0 -v -seeds $(SEEDS)

.PHONY: soak
soak: ## break three brokers and three instances for two minutes in every way there is, then check the history; needs root, Java 17 and Maven: internal/soak
	$(GO) run ./internal/soak -brokers 3 -instances 3 -for 2m -faults kill,stop,broker,net,disk

.PHONY: steady
steady: ## 20 minutes of steady load on real Kafka with compaction all the time: nothing may grow; FOR=2m for less
	@mkdir -p out
	$(GO) run ./internal/steady -for $(or $(FOR),20m) -brokers "$(MUSTER_BROKERS)" -out out/steady

.PHONY: fuzz
fuzz: ## all fuzz targets, FUZZTIME (20s) each; ONLY=pattern for some
	FUZZTIME=$(or $(FUZZTIME),20s) tools/fuzz.sh $(ONLY)

.PHONY: sbom
sbom: ## what the module and the KMS adapters are built from, as CycloneDX: out/sbom*.json
	@mkdir -p out
	$(GO) run ./internal/sbom -o out/sbom.json
	@for module in kms/*/; do name=$$(basename $$module); (set -x; $(GO) run ./internal/sbom -dir $$module -o out/sbom-$$name.json) || exit 1; done

.PHONY: verified
verified: ## the code of all modules is what go.sum says
	$(GO) mod verify
	@for module in kms/*/; do echo "$$module"; (cd "$$module" && $(GO) mod verify) || exit 1; done

# The second build has another directory and an empty cache: it has nothing of the first one.
.PHONY: reproducible
reproducible: ## build the bank twice, from two directories: the same bytes
	@set -e; dir=$$(mktemp -d); trap 'chmod -R u+w '$$dir'; rm -rf '$$dir EXIT; \
	$(GO) build -trimpath -buildvcs=false -o $$dir/first ./examples/bank; \
	mkdir $$dir/again; git ls-files -z | tar --null -T - -cf - | tar -xf - -C $$dir/again; \
	(cd $$dir/again && GOCACHE=$$dir/cache $(GO) build -trimpath -buildvcs=false -o $$dir/second ./examples/bank); \
	sha256sum $$dir/first $$dir/second | cut -d ' ' -f 1; cmp $$dir/first $$dir/second

.PHONY: bench-peers
bench-peers: ## Muster beside Kafka Streams on real brokers: at MUSTER_BROKERS, or what `make kafka` started; needs Java 17 and Maven
	@$(KAFKAD) ping "$(ADDRESSES)"
	cd bench/peers/kafka-streams && mvn -B -q compile
	@mkdir -p out
	$(GO) run ./bench -brokers "$(ADDRESSES)" -streams bench/peers/kafka-streams/target -json out/peers.json -timeout 60m \
		-run drain-streams-10,call-1-streams-10,call-256-streams-10,drain-streams-100,call-1-streams-100,call-256-streams-100

.PHONY: lint
lint: $(LINTER) lines ## linters, formatting, file lengths
	$(LINTER) run $(PACKAGES)

.PHONY: fmt
fmt: $(LINTER) ## format all files
	$(LINTER) fmt

# No file over 400 lines: a longer one has a second section title and wants to be two. Generated code may.
.PHONY: lines
lines:
	@git ls-files --cached --others --exclude-standard -- '*.go' ':!*.pb.go' | while read -r file; do \
		test -f "$$file" || continue; \
		lines=$$(wc -l < "$$file"); \
		test "$$lines" -le 400 || { echo "$$file has $$lines lines; split it, 400 is the limit"; false; } || exit 1; \
	done

.PHONY: generate
generate: ## generate Go code from the .proto files; needs protoc
	tools/generate.sh

# Built once from the versions in tools/go.mod; `make` looks again when these change.
$(LINTER): tools/go.mod tools/go.sum
	cd tools && $(GO) build -o ../bin/ tool
	@touch $@
