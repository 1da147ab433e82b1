# One Makefile for everything, no recursion. `make help` says what it can do.
#
# Sources are found by folder; lib/base/pure.c becomes build/<variant>/lib/base/pure.o. There are five variants:
#   release   what is installed        asan   the same under ASan and UBSan        cov   the same, counting lines
#   fuzz      by clang, under ASan and UBSan, telling libFuzzer which way it went     afl    the same, telling AFL++
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

ifeq ($(origin CC),default)
CC := gcc
endif
PREFIX  ?= /usr/local
comma := ,
VARIANTS := release asan cov fuzz afl

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wvla -Werror
CPPFLAGS := -std=c17 -D_GNU_SOURCE -I. -Ibuild/gen
LDLIBS   := -Wl,--as-needed -lprotobuf-c -lzmq -lsodium -lisal -llmdb -lyaml -levent -lsystemd -ljansson -lz -lpthread -lm
FLAGS.release := -O2 -g
FLAGS.asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS.fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -D__SANITIZE_ADDRESS__
CC.fuzz       := clang-14
FLAGS.afl     := $(subst fuzzer-no-link$(comma),,$(FLAGS.fuzz))
CC.afl        := AFL_QUIET=1 afl-clang-fast
FLAGS.cov     := -O0 -g --coverage -fprofile-update=atomic -DCOVERAGE

# ---- what there is ---------------------------------------------------------------------------------------------------

PROTO := $(wildcard proto/whistle.proto)
GEN_C := $(PROTO:proto/%.proto=build/gen/%.pb-c.c)
GEN_H := $(PROTO:proto/%.proto=build/gen/%.pb-c.h)
GEN   := $(GEN_C) $(GEN_H) $(PROTO:proto/%.proto=build/gen/%_pb2.py) $(PROTO:proto/%.proto=build/gen/%.desc)

# The archives, lowest first; a test links against all of them, a program against those below it.
SRC.whistle-all := $(wildcard lib/*/*.c) $(GEN_C)
SRC.store  := $(wildcard daemon/kernel/*.c daemon/config/*.c daemon/store/*.c)
SRC.daemon := $(filter-out daemon/whistled.c $(SRC.store),$(wildcard daemon/*.c daemon/*/*.c))
SRC.worker := $(filter-out workers/worker.c,$(wildcard workers/*.c))
SRC.ctl    := $(filter-out ctl/whistlectl.c,$(wildcard ctl/*.c))
SRC.test   := $(filter-out tests/unit/test_%.c,$(wildcard tests/unit/*.c))
SRC.bench  := $(wildcard bench/client/*.c)
SRC.fuzz   := $(filter-out tests/fuzz/fuzz_%.c,$(wildcard tests/fuzz/*.c))
ARCHIVES   := test ctl worker daemon store whistle-all
BENCH_ARCHIVES := bench $(ARCHIVES)
FUZZ_ARCHIVES := fuzz daemon $(filter-out daemon,$(ARCHIVES))
ALL_ARCHIVES := bench fuzz $(ARCHIVES)

# program: its main file, then the archives it links with. A program without a main file yet is left out.
MAIN.whistled       := $(wildcard daemon/whistled.c)
MAIN.whistle-worker := $(wildcard workers/worker.c)
MAIN.whistlectl     := $(wildcard ctl/whistlectl.c)
NEED.whistled       := daemon store whistle-all
NEED.whistle-worker := worker store whistle-all
NEED.whistlectl     := ctl store whistle-all
PROGRAMS := $(foreach p,whistled whistle-worker whistlectl,$(if $(MAIN.$(p)),$(p)))

CRASH   := $(wildcard tests/crash/*.c)
FLIPPER := $(wildcard tests/flips/*.c)
# The simulator: the production files but for the network; memory, LMDB's handles and the store's word about a turn are
# looked at on their way (tests/sim/life.c, sim.c).
SIM     := $(wildcard tests/sim/*.c)
SIM_SEES := malloc calloc realloc free mdb_env_create mdb_env_close mdb_txn_begin mdb_txn_commit mdb_txn_abort \
	mdb_env_open mdb_cursor_put mdb_del random_bytes store_record store_commit store_abandon decide \
	config_load pthread_create pthread_join
POWER   := tests/power/forgetful.c
# What callgrind counts: the broker in one thread, without libzmq.
COUNT   := $(wildcard tests/count/*.c)
TESTS   := $(patsubst %.c,%,$(wildcard tests/unit/test_*.c))
BENCHES := $(patsubst %.c,%,$(wildcard bench/*.c))
FUZZERS := $(patsubst %.c,%,$(wildcard tests/fuzz/fuzz_*.c))
SOURCES := $(foreach a,$(ALL_ARCHIVES),$(SRC.$(a))) $(foreach p,$(PROGRAMS),$(MAIN.$(p))) $(TESTS:=.c) $(BENCHES:=.c) \
	$(FUZZERS:=.c) $(CRASH) $(FLIPPER) $(SIM) $(COUNT) $(POWER)

# patsubst sees a generated file as build/<variant>/build/gen/...: bring it back.
objects = $(patsubst build/$(1)/build/gen/%,build/$(1)/gen/%,$(patsubst %.c,build/$(1)/%.o,$(2)))

# ---- building --------------------------------------------------------------------------------------------------------

.PHONY: all
all: programs.release build/release/libwhistle-all.a build/release/libstore.a ## builds the programs into build/release/bin

# Long names made short: Whistle__V1__CaseState -> PbCaseState, whistle__v1__ -> pb_, and every enumerator by its own
# name, which proto/whistle.proto keeps unique. INIT and NOT_SET, which every message or oneof has, keep their owner.
SHORTEN := sed -E \
	-e 's/WHISTLE__V1__([A-Z0-9_]+)__INIT\b/PB_\1_INIT/g' \
	-e 's/INT_SIZE\(WHISTLE__V1__/INT_SIZE(PB_/' \
	-e 's/WHISTLE__V1__([A-Z0-9_]+)__([A-Z0-9]+(_[A-Z0-9]+)*)__NOT_SET\b/\1_\2_NOT_SET/g' \
	-e 's/WHISTLE__V1__[A-Z0-9_]+__([A-Z0-9_]+)/\1/g' \
	-e 's/WHISTLE__V1__/PB_/g' -e 's/Whistle__V1__/Pb/g' -e 's/whistle__v1__/pb_/g'

build/gen/%.pb-c.c build/gen/%.pb-c.h: proto/%.proto Makefile
	@mkdir -p build/gen/long
	protoc-c -Iproto --c_out=build/gen/long $<
	@$(SHORTEN) build/gen/long/$*.pb-c.h > build/gen/$*.pb-c.h
	@$(SHORTEN) build/gen/long/$*.pb-c.c > build/gen/$*.pb-c.c

build/gen/%_pb2.py: proto/%.proto
	@mkdir -p build/gen
	protoc -Iproto --python_out=build/gen $<

build/gen/%.desc: proto/%.proto
	@mkdir -p build/gen
	@protoc -Iproto --include_imports --descriptor_set_out=$@ $<

# A file that holds a line and changes only when the line does: what depends on it is remade when the line changes.
.PHONY: always
line = mkdir -p $(@D); echo '$(1)' | cmp -s - $@ || echo '$(1)' > $@

define variant
COMPILE.$(1) = $(or $(CC.$(1)),$(CC)) $(CPPFLAGS) $$(FLAGS.$(1)) $(CFLAGS)

build/$(1)/flags: always
	@$$(call line,$$(COMPILE.$(1)) $(WARNINGS))

build/$(1)/%.o: %.c build/$(1)/flags | $(GEN_H)
	@mkdir -p $$(@D)
	@echo "  CC $(1) $$<"; $$(COMPILE.$(1)) $(WARNINGS) -MMD -MP -c -o $$@ $$<

build/$(1)/gen/%.o: build/gen/%.c build/$(1)/flags
	@mkdir -p $$(@D)
	@echo "  CC $(1) $$<"; $$(COMPILE.$(1)) -MMD -MP -c -o $$@ $$<

$(foreach t,$(TESTS),build/$(1)/$(t)): build/$(1)/%: build/$(1)/%.o $(ARCHIVES:%=build/$(1)/lib%.a)
	@echo "  LD $(1) $$@"; $$(COMPILE.$(1)) $(LDFLAGS) -o $$@ $$^ -lcmocka $(LDLIBS)

build/$(1)/crash: $(CRASH:%.c=build/$(1)/%.o) $(ARCHIVES:%=build/$(1)/lib%.a)
	@echo "  LD $(1) $$@"; $$(COMPILE.$(1)) $(LDFLAGS) -o $$@ $$^ -lcmocka $(LDLIBS)

build/$(1)/flips: $(FLIPPER:%.c=build/$(1)/%.o) $(ARCHIVES:%=build/$(1)/lib%.a)
	@echo "  LD $(1) $$@"; $$(COMPILE.$(1)) $(LDFLAGS) -o $$@ $$^ -lcmocka $(LDLIBS)

$(foreach b,$(BENCHES),build/$(1)/$(b)): build/$(1)/%: build/$(1)/%.o $(BENCH_ARCHIVES:%=build/$(1)/lib%.a)
	@echo "  LD $(1) $$@"; $$(COMPILE.$(1)) $(LDFLAGS) -o $$@ $$^ $(LDLIBS)

.PHONY: tests.$(1) programs.$(1)
tests.$(1): $(TESTS:%=build/$(1)/%)
programs.$(1): $(PROGRAMS:%=build/$(1)/bin/%)
endef
$(foreach v,$(VARIANTS),$(eval $(call variant,$(v))))

# $(1) variant, $(2) archive
define archive
build/$(1)/$(2).members: always
	@$$(call line,$(SRC.$(2)))
build/$(1)/lib$(2).a: build/$(1)/$(2).members $(call objects,$(1),$(SRC.$(2)))
	@rm -f $$@; ar rcs $$@ $$(filter %.o,$$^)
endef
$(foreach v,$(VARIANTS),$(foreach a,$(ALL_ARCHIVES),$(eval $(call archive,$(v),$(a)))))

# $(1) variant, $(2) program
define program
build/$(1)/bin/$(2): $(call objects,$(1),$(MAIN.$(2))) $(NEED.$(2):%=build/$(1)/lib%.a)
	@mkdir -p $$(@D)
	@echo "  LD $(1) $$@"; $$(COMPILE.$(1)) $(LDFLAGS) -o $$@ $$^ $(LDLIBS)
endef
$(foreach v,$(VARIANTS),$(foreach p,$(PROGRAMS),$(eval $(call program,$(v),$(p)))))

# protobuf-c itself is fuzzed with us: the release that Debian packages, as it was published (tests/fuzz/protobuf-c/). It
# copies nothing from nowhere (memcpy of no bytes at NULL), which is no harm.
define protobuf-c
build/$(1)/protobuf-c.o: tests/fuzz/protobuf-c/protobuf-c.c tests/fuzz/protobuf-c/sha256 build/$(1)/flags
	@mkdir -p $$(@D)
	@cd tests/fuzz/protobuf-c && sha256sum --quiet -c sha256
	@echo "  CC $(1) $$<"; $$(COMPILE.$(1)) -fno-sanitize=nonnull-attribute -I/usr/include/protobuf-c -c -o $$@ $$<
endef
$(foreach v,fuzz afl,$(eval $(call protobuf-c,$(v))))

# What must be held still for one target alone. The archives in a group: daemon stands first, because it and ctl have an
# arguments_read each.
WRAP.fuzz_gates := -Wl,--wrap=memory_or_die
COUNTERS.fuzz_store := -Wl,--defsym=counters_begin=__start___sancov_cntrs -Wl,--defsym=counters_end=__stop___sancov_cntrs
define fuzzer
build/$(1)/$(2): build/$(1)/$(2).o build/$(1)/protobuf-c.o $(FUZZ_ARCHIVES:%=build/$(1)/lib%.a)
	@echo "  LD $(1) $$@"; $$(COMPILE.$(1)) $(LDFLAGS) $(WRAP.$(notdir $(2))) $(if $(filter fuzz,$(1)),$(COUNTERS.$(notdir $(2)))) \
		-fsanitize=fuzzer -o $$@ -Wl,--start-group $$^ -Wl,--end-group -lcmocka $(LDLIBS)
endef
$(foreach v,fuzz afl,$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(v),$(f)))))

-include $(foreach v,$(VARIANTS),$(patsubst %.o,%.d,$(call objects,$(v),$(SOURCES))))

# ---- using -----------------------------------------------------------------------------------------------------------

.PHONY: help deps run test sim crash power faults shed soak count counted tidy docs coverage fuzz fuzz-long fuzzers bench bench-scale install clean generated objects
JOBS := $(shell nproc)

help:              ## says what each target does, one sentence each
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

deps:              ## installs the Debian packages of deps.sh that are missing
	@./deps.sh

# deps must be over before anything is compiled, whatever -j says: hence a second make, of this same file.
run: deps          ## builds everything and runs ctl/run.sh, which is told ONCE=1 and LIVE=1
	@$(MAKE) -j$(JOBS) --no-print-directory all
	@ONCE='$(ONCE)' LIVE='$(LIVE)' ctl/run.sh

test: deps         ## runs everything that can fail, part by part (tests/README.md): a quarter of an hour
	@MAKE='$(MAKE)' tests/run.sh

build/release/sim: $(SIM:%.c=build/release/%.o) $(patsubst %,build/release/tests/unit/%.o,laws rules_fixture) \
		$(patsubst %,build/release/lib%.a,worker daemon ctl store whistle-all)
	@echo "  LD release $@"; $(COMPILE.release) -rdynamic $(SIM_SEES:%=-Wl,--wrap=%) -o $@ $^ $(LDLIBS)

SEED  := 1
SEEDS := 1
STEPS := 20000
sim: build/release/sim ## lives through drawn worlds: SEED=1 SEEDS=1 STEPS=20000 [UNTIL=] [WITHOUT=] [REACH=] [TRACE=1]
	@build/release/sim --seed $(SEED) --seeds $(SEEDS) --steps $(STEPS) --jobs $(JOBS) $(if $(UNTIL),--until $(UNTIL)) \
		$(if $(WITHOUT),--without $(WITHOUT)) $(if $(REACH),--reach $(REACH)) $(if $(TRACE),--trace)

# The kernel alone, in virtual time: a seed a processor, from SEED on; the dear laws at every DEAR-th step (1: at each).
.PHONY: kernel
kernel: STEPS := 20000000
DEAR := 16
kernel: build/release/tests/unit/test_decide_random ## takes STEPS=20000000 random steps of the kernel, its laws asserted: SEED=1 [DEAR=16]
	@for i in $$(seq $(JOBS)); do SEED=$$(($(SEED) + i - 1)) STEPS=$$(($(STEPS) / $(JOBS))) DEAR=$(DEAR) $< & \
		pids="$$pids $$!"; done; for p in $$pids; do wait $$p || bad=1; done; exit $${bad:-0}

IMAGES := 200000
crash: build/release/crash ## looks at so many crash images of the store: IMAGES=200000, SEED=1
	@build/release/crash $(IMAGES) $(SEED)

.PHONY: mutants
mutants: generated ## plants the bugs of tests/mutants one by one; each must be found by the tests it names, in time
	@MAKE='$(MAKE)' tests/mutants/run.py --jobs $(JOBS) $(if $(ONLY),--only $(ONLY))

FLIPS := 1000
.PHONY: flips
flips: build/release/flips ## flips single bits of a resting store: FLIPS=1000, SEED=1
	@build/release/flips $(FLIPS) $(SEED)

build/release/forgetful: $(POWER:%.c=build/release/%.o)
	@echo "  LD release $@"; $(COMPILE.release) $(LDFLAGS) -o $@ $^ -lfuse3

CUTS := 300
power: programs.release build/release/forgetful generated ## cuts the power of a real broker so many times: CUTS=300, SEED=1
	@CUTS=$(CUTS) SEED=$(SEED) PYTHONPATH=build/gen /usr/bin/python3 -B -m pytest -q -s -p no:cacheprovider \
		tests/power/test_power.py

N := 0
faults: programs.release generated build/release/tests/unit/test_memory ## lets N calls (0: all) of memory and disk fail, one by one
	@EVERY=1 build/release/tests/unit/test_memory
	@N=$(N) PYTHONPATH=build/gen /usr/bin/python3 -B -m pytest -q -s -p no:cacheprovider tests/blackbox/test_faults.py

soak: programs.release generated ## weeks of a district in MINUTES (10): memory, descriptors and pages must not grow
	@MINUTES='$(MINUTES)' PYTHONPATH=build/gen /usr/bin/python3 -B tests/soak/soak.py

build/release/count: $(COUNT:%.c=build/release/%.o) $(patsubst %,build/release/lib%.a,test daemon store whistle-all)
	@echo "  LD release $@"; $(COMPILE.release) -o $@ $^ -lcmocka $(LDLIBS)

counted: build/release/count build/release/tests/unit/test_decide_random
count: counted     ## counts instructions a step, here and at BASE=commit (the merge base): more than 1 or 3 % more fails
	@MAKE='$(MAKE)' BASE='$(BASE)' tests/count/run.sh

FACTOR := 10
shed: programs.release build/release/bench/load build/release/bench/fired generated ## offers a broker on a slow disk more than it can take: SECONDS=60, FACTOR=10
	@SECONDS=$(or $(SECONDS),60) FACTOR=$(FACTOR) PYTHONPATH=build/gen /usr/bin/python3 -B -m pytest -q -s \
		-p no:cacheprovider tests/power/test_shed.py

.PHONY: prove
prove: deps        ## tries every promise for up to an hour and prints the table of docs/reliability.md: TIMES=1 PARTS="sim power"
	@MAKE='$(MAKE)' TIMES='$(or $(TIMES),1)' PARTS='$(PARTS)' tests/prove.sh

tidy: $(GEN)       ## checks the rules of the house: floors, lengths, banned calls, messages, two compilers
	@MAKE='$(MAKE)' FLAGS='$(CPPFLAGS) $(WARNINGS)' tests/tidy/run.sh

proto-freeze: $(GEN) ## after additions to proto/: makes what stands there now the schema that must stay readable
	cp build/gen/whistle.desc proto/whistle.v1.desc

LIFECYCLE := build/release/tests/unit/test_lifecycle_doc
MANUAL := build/release/tests/unit/test_manual
MADE   := $(patsubst %.in,%,$(wildcard man/*.in man/*/*.in completions/*.in))
docs: $(LIFECYCLE) $(MANUAL) ## makes man/, completions/ and docs/lifecycle.md from the code's tables; its drawing where graphviz is
	@for page in $(MADE); do $(MANUAL) $$page > build/page && cat build/page > $$page || exit 1; done
	$(LIFECYCLE) page > build/lifecycle.md && mv build/lifecycle.md docs/lifecycle.md
	@if command -v dot > /dev/null; then $(LIFECYCLE) dot | dot -Tsvg > build/lifecycle.svg && \
		echo "<!-- $$($(LIFECYCLE) name) -->" >> build/lifecycle.svg && mv build/lifecycle.svg docs/lifecycle.svg; \
	else echo "no drawing: graphviz is not installed"; fi

coverage: tests.cov ## runs the unit tests counting lines and branches: too few of the kernel or the store fails; build/coverage.html
	@tests/coverage.sh $(TESTS)

fuzzers: $(FUZZERS:%=build/fuzz/%)
fuzz: fuzzers      ## replays the corpora of tests/fuzz, then lets libFuzzer run SECONDS (20) a target, TARGETS or all
	@SECONDS_EACH='$(or $(SECONDS),20)' JOBS='$(JOBS)' tests/fuzz/run.sh $(TARGETS)

LONG := frames journal store
fuzz-long: export TARGETS := $(or $(TARGETS),$(LONG))
fuzz-long:         ## lets AFL++ run SECONDS (600) a target: TARGETS, or frames, journal and store; installs afl++
	@./deps.sh fuzz
	@$(MAKE) -j$(JOBS) --no-print-directory $(TARGETS:%=build/afl/tests/fuzz/fuzz_%)
	@SECONDS_EACH='$(or $(SECONDS),600)' JOBS='$(JOBS)' tests/fuzz/long.sh $(TARGETS)

bench: programs.release $(BENCHES:%=build/release/%) ## runs the measurements of bench/run.sh
	@bench/run.sh

bench-scale: programs.release $(BENCHES:%=build/release/%) ## runs the measurements of bench/scale.sh, which make bench ends with unless FAST=1
	@bench/scale.sh

# What is installed beside the programs is what exists: settings, playbooks, units, manual pages, completion.
# Units name programs where they were put.
install: all       ## installs programs, settings, units, pages and completion under DESTDIR and PREFIX (/usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin
	$(if $(PROGRAMS),install -m 755 $(PROGRAMS:%=build/release/bin/%) $(DESTDIR)$(PREFIX)/bin)
	$(if $(UNITS),install -d $(DESTDIR)$(PREFIX)/lib/systemd/system)
	$(foreach u,$(UNITS),sed 's|/usr/bin/|$(PREFIX)/bin/|' $(u) | install -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/lib/systemd/system/$(notdir $(u)) &&) true
	install -D -m 644 systemd/whistled.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/whistled.conf
	install -D -m 644 systemd/worker.conf $(DESTDIR)$(PREFIX)/share/whistled/worker.conf
	$(if $(SETTINGS),cd config && find . -type f -exec install -D -m 644 '{}' '$(DESTDIR)$(PREFIX)/share/whistled/{}' ';')
	$(foreach m,$(MANUALS),install -D -m 644 $(m) $(DESTDIR)$(PREFIX)/share/$(dir $(m))man$(subst .,,$(suffix $(m)))/$(notdir $(m)) &&) true
	install -D -m 644 completions/whistle.bash $(COMPLETIONS)/whistlectl
	ln -sf whistlectl $(COMPLETIONS)/whistled
	ln -sf whistlectl $(COMPLETIONS)/whistle-worker

UNITS    := $(wildcard systemd/*.service systemd/*.socket systemd/*.target systemd/*.timer)
SETTINGS := $(wildcard config/*)
MANUALS  := $(wildcard man/*.[1-8] man/*/*.[1-8])
COMPLETIONS := $(DESTDIR)$(PREFIX)/share/bash-completion/completions

clean:             ## removes build/
	rm -rf build

generated: $(GEN)
objects: $(call objects,release,$(SOURCES))
