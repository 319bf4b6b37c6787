# sidelight: see README.md. `make help` lists the targets.

BUILD    ?= build
# aarch64-linux-gnu-: for such a machine, on this one, with Debian's libraries for it.
CROSS    ?=
ifeq ($(origin CC),default)
CC       := $(CROSS)gcc
endif
# Not empty: programs with a libcurl that does what they ask of it and no more, for images.
LEAN     ?=
CURL     := $(BUILD)/curl
PROGRAMS = $(BUILD)$(if $(LEAN),/lean)
PKG_CONFIG := $(if $(LEAN),PKG_CONFIG_PATH=$(CURL)/lib/pkgconfig )$(if $(CROSS),PKG_CONFIG_LIBDIR=/usr/lib/$(CROSS:-=)/pkgconfig:/usr/share/pkgconfig )pkg-config
CLANG    ?= clang
LLVM_STRIP ?= llvm-strip
BPFTOOL  ?= $(or $(shell command -v bpftool),/usr/sbin/bpftool)
SANITIZE ?=
# arm64: the machine of the guests of `make kernels`.
ARCH     ?=
IS_ARM64 := $(filter arm64,$(ARCH))
# For `make release`: -ffile-prefix-map=DIRECTORY=. for each that must not get into a program.
PREFIX_MAP ?=
VERSION  := 0.1.0
REVISION := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

# The hot path crosses a dozen small files: optimised as one, it costs a sixth less.
LTO := -flto=2 -ffat-lto-objects

ifneq ($(SANITIZE),)
LTO :=
override BUILD := $(BUILD)/sanitize
SANITIZE_FLAGS := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

# Not empty: every line counts its executions in a file that is mapped when the program starts,
# so that neither a sandbox nor SIGKILL keeps them back.
COVERAGE ?=
ifneq ($(COVERAGE),)
LTO :=
# -w: warnings are asked for in the other builds.
SANITIZE_FLAGS := -fprofile-instr-generate -fcoverage-mapping \
	-mllvm -runtime-counter-relocation -w
endif

# --- what it is built with -----------------------------------------------------

# pkg-config name, least version, Debian package
LIBRARIES := libbpf:1.1:libbpf-dev libcurl:7.88:libcurl4-gnutls-dev libcjson:1.7:libcjson-dev \
	libcap:2.60:libcap-dev libseccomp:2.5:libseccomp-dev libmicrohttpd:0.9.75:libmicrohttpd-dev \
	libuv:1.44:libuv1-dev nettle:3.8:nettle-dev ncursesw:6.2:libncurses-dev \
	libpcap:1.10:libpcap-dev libprotobuf-c:1.4:libprotobuf-c-dev zlib:1.2:zlib1g-dev
WEBHOOK_LIBRARIES := gnutls:3.7:libgnutls28-dev \
	libcjson:1.7:libcjson-dev libcurl:7.88:libcurl4-gnutls-dev libuv:1.44:libuv1-dev
ALL_LIBRARIES := $(sort $(LIBRARIES) $(WEBHOOK_LIBRARIES))
names = $(foreach l,$1,$(firstword $(subst :, ,$(l))))

# Names that Debian 12 and 13 share.
BUILD_PACKAGES := gcc libc6-dev make git clang llvm bpftool pkgconf linux-libc-dev uthash-dev \
	protobuf-c-compiler \
	$(foreach l,$(ALL_LIBRARIES),$(lastword $(subst :, ,$(l))))
DEMO_PACKAGES := nginx-light wrk curl openssl prometheus-pushgateway python3-grpcio
PICTURE_PACKAGES := chromium fonts-dejavu-core prometheus nodejs $(if $(shell command -v npm),,npm)
E2E_PACKAGES := nginx-light apache2-bin haproxy lighttpd caddy nodejs golang-go wrk curl wget \
	iproute2 iptables tcpdump util-linux strace tmux gdb apache2-utils python3-urllib3 python3-aiohttp \
	python3-pycurl
# Node's own packages bring npm along, Debian's do not.
PEER_PACKAGES := nghttp2-server nghttp2-client etcd-server etcd-client golang-go \
	golang-google-grpc-dev libgrpc++-dev g++ nodejs \
	$(if $(shell command -v npm),,npm)
POD_PACKAGES := podman buildah runc conmon catatonit netavark jq python3-jsonpatch nginx-light prometheus-pushgateway \
	util-linux iproute2
TEST_PACKAGES := $(DEMO_PACKAGES) $(E2E_PACKAGES) $(PEER_PACKAGES) $(POD_PACKAGES) $(IMAGE_PACKAGES) libcmocka-dev libnghttp2-dev python3 python3-yaml \
	prometheus openssl python3-openpyxl python3-protobuf python3-prometheus-client zsh fish man-db chromium fonts-dejavu-core
BENCH_PACKAGES := nginx-light wrk curl openssl python3 valgrind nghttp2-server nghttp2-client golang-go nodejs \
	golang-google-grpc-dev prometheus prometheus-pushgateway
GUEST_PACKAGES := nginx-light wrk curl python3 nghttp2-server nghttp2-client qemu-system-x86 busybox-static apache2-utils \
	$(if $(IS_ARM64),qemu-system-arm binutils)
IMAGE_PACKAGES := binutils ca-certificates dpkg-dev libcap2-bin
FUZZ_PACKAGES := libclang-rt-dev
LINT_PACKAGES := clang-format clang-tidy shellcheck python3

# Targets that compile nothing themselves need no library to be there.
ifneq ($(filter-out clean help test release check-release peers demo dashboards pictures fuzz siege soak coverage kernels check-arm64 bench bench-exact bench-exports lint install-deps deps-%,$(or $(MAKECMDGOALS),all)),)
ifeq ($(shell command -v pkg-config),)
$(error pkg-config is missing; install it with: apt-get install pkgconf (or all at once: make deps-build))
endif
MISSING := $(strip $(foreach l,$(ALL_LIBRARIES),$(shell set -- $(subst :, ,$(l)); \
	$(PKG_CONFIG) --exists "$$1 >= $$2" || echo $$3)) \
	$(if $(wildcard /usr/include/uthash.h),,uthash-dev) \
	$(foreach t,$(CLANG):clang $(BPFTOOL):bpftool protoc-c:protobuf-c-compiler,$(shell command -v $(firstword $(subst :, ,$(t))) \
	>/dev/null || echo $(lastword $(subst :, ,$(t))))))
ifneq ($(MISSING),)
$(error missing or too old; install with: apt-get install $(MISSING) (or all at once: make deps-build))
endif
# Debian's ncurses asks for an older POSIX than _GNU_SOURCE has.
CPPFLAGS_PKGS := $(filter-out -D_DEFAULT_SOURCE -D_XOPEN_SOURCE=%,\
	$(shell $(PKG_CONFIG) --cflags $(call names,$(ALL_LIBRARIES))))
LDLIBS_PKGS   := $(shell $(PKG_CONFIG) --libs $(call names,$(LIBRARIES)))
WEBHOOK_PKGS  := $(shell $(PKG_CONFIG) --libs $(call names,$(WEBHOOK_LIBRARIES))) -lm
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef \
	-Wpointer-arith -Wvla -Wwrite-strings -Wimplicit-fallthrough -Wformat=2 \
	-Wconversion -Wno-sign-conversion
# Those of Debian's dpkg-buildflags, whatever CFLAGS and LDFLAGS the command line adds. A
# sanitizer has checks of its own; without optimization there is no _FORTIFY_SOURCE.
MACHINE  := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
CFLAGS   ?= -O2 -g
HARDEN   := $(if $(SANITIZE),,-fPIE -fstack-protector-strong -fstack-clash-protection \
	-Werror=format-security \
	$(if $(filter x86_64,$(MACHINE)),-fcf-protection) \
	$(if $(filter aarch64,$(MACHINE)),-mbranch-protection=standard) \
	$(if $(filter-out -O0,$(filter -O%,$(CFLAGS))),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2))
HARDEN_LINK := $(if $(SANITIZE),,-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
override CPPFLAGS += -D_GNU_SOURCE -Isidecar -I. -I$(BUILD) $(CPPFLAGS_PKGS) \
	-DSIDELIGHT_VERSION='"$(VERSION)"' -DSIDELIGHT_REVISION='"$(REVISION)"'
override CFLAGS := -std=gnu11 $(WARNINGS) $(HARDEN) $(CFLAGS) $(SANITIZE_FLAGS) $(LTO) $(PREFIX_MAP)
override LDFLAGS := $(HARDEN_LINK) $(LDFLAGS) $(SANITIZE_FLAGS)
# For libcurl: tests/build-curl.
.PHONY: deps-flags
deps-flags:
	@echo $(HARDEN)
EXTRA_LDLIBS := $(LDLIBS)
LDLIBS   += $(LDLIBS_PKGS)

# --- the programs ----------------------------------------------------------------

SOURCES  := $(sort $(filter-out sidecar/webhook/%,$(wildcard sidecar/*.c sidecar/*/*.c)))
MESSAGES := otlp prometheus
OBJECTS  := $(SOURCES:%.c=$(BUILD)/%.o) $(MESSAGES:%=$(BUILD)/%.pb-c.o)
MAIN     := $(BUILD)/sidecar/main.o
LIBRARY  := $(BUILD)/libsidelight.a
BPF      := $(sort $(wildcard bpf/*.bpf.c))
BPF_FLAGS := -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Ibpf -I/usr/include/$(shell uname -m)-linux-gnu $(PREFIX_MAP)
SKELETONS := $(BPF:bpf/%.bpf.c=$(BUILD)/%.skel.h) $(BUILD)/ringbuf.skel.h
# What is made before anything is compiled.
GENERATED := $(SKELETONS) $(MESSAGES:%=$(BUILD)/%.pb-c.h)
# Messages of protobuf as C structs; warnings about that code are not ours to mend.
$(BUILD)/%.pb-c.h: sidecar/export/%.proto
	@mkdir -p $(@D)
	@protoc-c --proto_path=$(<D) --c_out=$(@D) $(<F)
$(BUILD)/%.pb-c.c: $(BUILD)/%.pb-c.h ;
.SECONDARY: $(MESSAGES:%=$(BUILD)/%.pb-c.c)
$(BUILD)/%.pb-c.o: $(BUILD)/%.pb-c.c
	$(CC) $(CPPFLAGS) $(CFLAGS) -w -c -o $@ $<

# Kept, although make takes them for intermediate: the files of dependencies name them, so that
# the next run would make them again, with all that comes of them.
.SECONDARY: $(BPF:bpf/%.bpf.c=$(BUILD)/%.bpf.o)

.DEFAULT_GOAL := all
# The admission server: its own sources and those of base, its own libraries.
WEBHOOK_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard sidecar/webhook/*.c sidecar/base/*.c)))
WEBHOOK_LIBRARY := $(BUILD)/libwebhook.a
WEBHOOK_LDLIBS   = $(EXTRA_LDLIBS) $(WEBHOOK_PKGS)

.PHONY: all
all: $(PROGRAMS)/sidelight $(PROGRAMS)/sidelight-webhook ## build build/sidelight and build/sidelight-webhook

$(PROGRAMS)/sidelight: $(OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(if $(LTO),-O3) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIBRARY): $(filter-out $(MAIN),$(OBJECTS))
	@rm -f $@
	$(AR) rcs $@ $^

$(PROGRAMS)/sidelight-webhook: $(WEBHOOK_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(WEBHOOK_LDLIBS)

# Without base, which is in the other library: tests link both.
$(WEBHOOK_LIBRARY): $(filter-out %/main.o $(BUILD)/sidecar/base/%,$(WEBHOOK_OBJECTS))
	@rm -f $@
	$(AR) rcs $@ $^

.PHONY: install
install: all ## copy both programs to $(DESTDIR)/usr/bin
	install -d $(DESTDIR)/usr/bin
	install $(PROGRAMS)/sidelight $(PROGRAMS)/sidelight-webhook $(DESTDIR)/usr/bin

DOCUMENTED := sidelight sidelight-webhook
.PHONY: install-doc
install-doc: all ## copy manual pages, and completions for bash, zsh and fish, to $(DESTDIR)/usr/share
	@set -e; share=$(DESTDIR)/usr/share; \
	install -d $$share/man/man1 $$share/bash-completion/completions \
		$$share/zsh/vendor-completions $$share/fish/vendor_completions.d; \
	for p in $(DOCUMENTED); do \
		$(PROGRAMS)/$$p man >$$share/man/man1/$$p.1; \
		$(PROGRAMS)/$$p completion bash >$$share/bash-completion/completions/$$p; \
		$(PROGRAMS)/$$p completion zsh >$$share/zsh/vendor-completions/_$$p; \
		$(PROGRAMS)/$$p completion fish >$$share/fish/vendor_completions.d/$$p.fish; \
	done

-include sidecar/packaging/release.mk tests/guest/arm64.mk tests/bench/bench.mk

# JSON as a C string.
$(BUILD)/webhook/%.json.h: sidecar/webhook/%.json
	@mkdir -p $(@D)
	@sed 's/["\\]/\\&/g; s/.*/"&\\n"/' $< > $@
$(BUILD)/sidecar/webhook/template.o: $(BUILD)/webhook/template.json.h
# The files of the page of `sidelight ui`, likewise.
UI_ASSETS := $(patsubst sidecar/%,$(BUILD)/%.h,$(wildcard sidecar/cmd/ui/*))
$(BUILD)/cmd/ui/%.h: sidecar/cmd/ui/%
	@mkdir -p $(@D)
	@sed 's/["\\?]/\\&/g; s/.*/"&\\n"/' $< > $@
$(BUILD)/sidecar/cmd/ui_assets.o: $(UI_ASSETS)

$(BUILD)/%.o: %.c | $(GENERATED)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/bench/%.bpf.o: tests/bench/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_FLAGS) -MMD -MP -c -o $@ $<

# Of the same sources, for kernels before 5.12: see ring.bpf.h.
$(BUILD)/ringbuf.bpf.o: bpf/socket.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_FLAGS) -DSL_RINGBUF -MMD -MP -c -o $@ $<

# Without DWARF, a third of the object; BTF stays.
$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(LLVM_STRIP) -g $<
	$(BPFTOOL) gen skeleton $< name $(subst .,_,$*)_bpf > $@.tmp
	@mv $@.tmp $@

-include $(OBJECTS:.o=.d) $(WEBHOOK_OBJECTS:.o=.d) $(BPF:bpf/%.bpf.c=$(BUILD)/%.bpf.d) $(BUILD)/ringbuf.bpf.d

# --- packages ----------------------------------------------------------------------

.PHONY: install-deps deps-build deps-demo deps-bench deps-guest deps-lint
deps-build: ## install what building needs (apt; nothing if all is there)
	@tests/install-packages $(BUILD_PACKAGES)
deps-image: ## likewise, for the Dockerfile
	@tests/install-packages $(BUILD_PACKAGES) $(IMAGE_PACKAGES)
	@tests/build-curl $(CURL)
deps-arm64:
	@dpkg --add-architecture arm64
	@tests/install-packages $(filter-out %-dev,$(BUILD_PACKAGES)) linux-libc-dev uthash-dev \
		$(IMAGE_PACKAGES) gcc-aarch64-linux-gnu \
		$(patsubst %,%:arm64,libc6-dev $(foreach l,$(ALL_LIBRARIES),$(lastword $(subst :, ,$l))))
deps-image-arm64: deps-arm64
	@tests/build-curl $(CURL) aarch64-linux-gnu-
deps-fuzz:
	@tests/install-packages $(BUILD_PACKAGES) $(FUZZ_PACKAGES)
deps-demo:
	@tests/install-packages $(BUILD_PACKAGES) $(DEMO_PACKAGES)
deps-bench:
	@tests/install-packages $(BUILD_PACKAGES) $(BENCH_PACKAGES)
deps-guest:
	@tests/install-packages $(BUILD_PACKAGES) $(GUEST_PACKAGES)
install-deps: ## likewise, for the tests and the demo too
	@tests/install-packages $(BUILD_PACKAGES) $(TEST_PACKAGES)
deps-lint:
	@tests/install-packages $(BUILD_PACKAGES) $(LINT_PACKAGES) libcmocka-dev libnghttp2-dev

# --- tests -------------------------------------------------------------------------

UNIT_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
UNIT_TESTS   := $(UNIT_SOURCES:%.c=$(BUILD)/%)

# Not optimised as one: that takes ten times as long to link, and tests do not need it.
$(BUILD)/tests/unit/%.o $(BUILD)/tests/fuzz/%.o: override CFLAGS += -fno-lto

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(WEBHOOK_LIBRARY) $(LIBRARY)
	$(CC) $(LDFLAGS) -fno-lto -o $@ $^ $(LDLIBS) $(WEBHOOK_PKGS) -lcmocka -lnghttp2

# A protocol that is added to the engine as sidecar/README.md says.
$(BUILD)/tests/unit/test_toy: $(BUILD)/tests/toy/ping.o
-include $(BUILD)/tests/toy/ping.d

# Half of the program each: the exporters without a kernel, the kernel half without the rest; and
# a client that is faster than any script.
E2E_DRIVERS := $(patsubst %,$(BUILD)/tests/e2e/%_driver,push ring flood takeover crowd calls key_log)
-include $(E2E_DRIVERS:=.d)
OLD_KERNEL := $(BUILD)/tests/e2e/old_kernel.so
$(OLD_KERNEL): tests/e2e/old_kernel.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -shared -fPIC -o $@ $<

$(BUILD)/tests/e2e/%: $(BUILD)/tests/e2e/%.o $(LIBRARY)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PRECIOUS: $(BUILD)/tests/unit/%.o $(BUILD)/tests/e2e/%.o
-include $(UNIT_SOURCES:%.c=$(BUILD)/%.d)

# gRPC peers in several languages: tests/servers/echo.
PEERS := $(patsubst %,$(BUILD)/peers/%.built,go go-new cc node)
$(PEERS): $(BUILD)/peers/%.built: tests/servers/echo/build \
		$(wildcard tests/servers/echo/echo.* tests/servers/echo/*.json)
	tests/servers/echo/build $* $(BUILD)/peers
	@[ -e $(BUILD)/peers/$*.why ] || touch $@

# A file tests/fuzz/fuzz_NAME.c is all a fuzz target needs: see tests/fuzz/fuzz.h.
FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_NAMES   := $(FUZZ_SOURCES:tests/fuzz/fuzz_%.c=%)
FUZZ_REPLAYS := $(FUZZ_NAMES:%=$(BUILD)/tests/fuzz/replay_%)
FUZZ_TARGETS := $(FUZZ_NAMES:%=$(BUILD)/tests/fuzz/fuzz_%)
FUZZ_SECONDS ?= 60

$(FUZZ_REPLAYS): $(BUILD)/tests/fuzz/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o \
		$(BUILD)/tests/fuzz/replay_main.o $(WEBHOOK_LIBRARY) $(LIBRARY)
	$(CC) $(LDFLAGS) -fno-lto -o $@ $^ $(LDLIBS) $(WEBHOOK_PKGS)
$(FUZZ_TARGETS): %: %.o $(WEBHOOK_LIBRARY) $(LIBRARY)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS) $(WEBHOOK_PKGS)

.PRECIOUS: $(BUILD)/tests/fuzz/%.o
-include $(FUZZ_SOURCES:%.c=$(BUILD)/%.d) $(BUILD)/tests/fuzz/replay_main.d

.PHONY: check
check: $(UNIT_TESTS) ## unit tests; SANITIZE=address,undefined for sanitizers
	@tests/run $(UNIT_TESTS)

# Commands for tests/run; a command of several words is quoted. Those of SERIAL_TESTS
# measure times or need a machine of their own, and run one after the other.
PARALLEL_TESTS = $(UNIT_TESTS) $(UNIT_TESTS:$(BUILD)/%=$(BUILD)/sanitize/%) \
	$(foreach n,$(FUZZ_NAMES),"$(BUILD)/sanitize/tests/fuzz/replay_$n tests/fuzz/corpus/$n") \
	$(wildcard tests/replay/run.py)
SERIAL_TESTS = $(sort $(wildcard tests/e2e/test_*.py tests/pods/test_*.py))

.PHONY: test test-build test-run
test: install-deps ## install what is missing, build, run every test
	@$(MAKE) --no-print-directory -s -j2 test-build
	@$(MAKE) --no-print-directory test-run
test-build: $(PEERS) all $(UNIT_TESTS) $(E2E_DRIVERS) $(OLD_KERNEL) test-build-sanitized build-curl fetch-packages
# Without the archive of sources the image's tests are skipped, by name.
.PHONY: build-curl
build-curl:
	@tests/build-curl $(CURL) || [ $$? = 3 ]
# The tests that need them are skipped, by name, without Debian's archive. VictoriaMetrics scrapes as
# Prometheus does, and receives OTLP, which Debian's builds of Prometheus (2.42, 2.53, 3.5) leave
# out; Prometheus 2.42 (Debian 12) knows nothing of created timestamps. For TLS: the newest Go, a Node
# that has OpenSSL as a library, and PostgreSQL, whose package starts a server when it is installed.
.PHONY: fetch-packages
fetch-packages:
	@tests/fetch-package trixie $(BUILD)/victoria-metrics victoria-metrics=1.112 || [ $$? = 3 ]
	@tests/fetch-package trixie $(BUILD)/prometheus prometheus=2.53 || [ $$? = 3 ]
	@tests/fetch-package trixie-backports $(BUILD)/go golang-1.26-go golang-1.26-src || [ $$? = 3 ]
	@tests/fetch-package bookworm $(BUILD)/node nodejs libnode108 node-acorn node-cjs-module-lexer \
		node-undici libuv1 libc-ares2 libnghttp2-14 libicu72 libbrotli1 libssl3 || [ $$? = 3 ]
	@tests/fetch-package bookworm $(BUILD)/postgresql postgresql-15 postgresql-client-15 libpq5 \
		libicu72 libldap-2.5-0 libsasl2-2 libxml2 libssl3 libreadline8 || [ $$? = 3 ]
.PHONY: peers
peers: $(PEERS)
.PHONY: test-build-sanitized
test-build-sanitized:
	@$(MAKE) --no-print-directory -s SANITIZE=address,undefined unit-tests
.PHONY: unit-tests
unit-tests: $(UNIT_TESTS) $(FUZZ_REPLAYS)
test-run:
	@tests/run $(PARALLEL_TESTS) --serial $(SERIAL_TESTS)

# --- coverage ----------------------------------------------------------------------

# Of the tests of three kinds one after the other; failures are shown, and do not end it.
COVERAGE_E2E ?= $(sort $(wildcard tests/e2e/test_*.py))
.PHONY: coverage coverage-build
coverage: install-deps ## lines of sidecar/ by folder that tests execute, and functions that none does
	@tests/install-packages $(FUZZ_PACKAGES)
	@$(MAKE) --no-print-directory -s -j2 $(PEERS)
	@$(MAKE) --no-print-directory -s -j2 CC=$(CLANG) BUILD=$(BUILD)/coverage COVERAGE=1 \
		coverage-build
	@tests/coverage forget
	-@tests/coverage run unit $(UNIT_TESTS)
	-@tests/coverage run replay tests/replay/run.py
	-@tests/coverage run e2e --serial $(COVERAGE_E2E)
	@tests/coverage report
coverage-build: all $(UNIT_TESTS) $(E2E_DRIVERS) $(OLD_KERNEL)

# --- fuzzing -----------------------------------------------------------------------

# What is found new is kept in build/fuzz/corpus, and used by the next run.
.PHONY: fuzz fuzz-run fuzz-replay fuzz-replays
fuzz: deps-fuzz ## libFuzzer on every target of tests/fuzz; FUZZ_SECONDS=60 each
	@$(MAKE) --no-print-directory -s -j2 CC=$(CLANG) BUILD=$(BUILD)/fuzz \
		SANITIZE=fuzzer-no-link,address,undefined fuzz-run
fuzz-run: $(FUZZ_TARGETS)
	@set -e; for n in $(FUZZ_NAMES); do echo "== $$n"; \
		mkdir -p $(BUILD)/corpus/$$n; \
		$(BUILD)/tests/fuzz/fuzz_$$n -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
			-print_final_stats=1 -verbosity=0 \
			-artifact_prefix=$(BUILD)/ \
			$$(ls tests/fuzz/$$n.dict 2>/dev/null | sed s/^/-dict=/) \
			$(BUILD)/corpus/$$n tests/fuzz/corpus/$$n; done
fuzz-replay: ## the seeds of tests/fuzz/corpus, under the sanitizers
	@$(MAKE) --no-print-directory -s -j2 SANITIZE=address,undefined fuzz-replays
	@tests/run $(foreach n,$(FUZZ_NAMES),"$(BUILD)/sanitize/tests/fuzz/replay_$n tests/fuzz/corpus/$n")
fuzz-replays: $(FUZZ_REPLAYS)

# --- demo --------------------------------------------------------------------------

.PHONY: demo
demo: deps-demo ## nginx, a gRPC service and a Pushgateway under `sidelight run`
	@$(MAKE) --no-print-directory -s -j2 all
	@tests/demo/demo

.PHONY: dashboards pictures
dashboards: ## dashboards, rules and alerts of kustomize/, after a change of kustomize/source
	@kustomize/generate
pictures: deps-demo ## each dashboard with data of a real run: build/pictures; those of the READMEs
	@tests/install-packages $(PICTURE_PACKAGES)
	@$(MAKE) --no-print-directory -s -j2 all
	@tests/pictures/draw.py

# --- other kernels -----------------------------------------------------------------

# Kernel images are kept in GUEST_CACHE.
.PHONY: kernels
kernels: deps-guest $(if $(IS_ARM64),deps-arm64) ## the same binary on Debian's 5.10, 6.1 and 6.12, in emulated guests; ARCH=arm64
	@$(MAKE) --no-print-directory -s -j2 $(if $(IS_ARM64),CROSS=aarch64-linux-gnu- BUILD=$(BUILD)/arm64) all
	@ARCH=$(ARCH) tests/guest/kernels

.PHONY: siege soak
siege: install-deps ## all attacks at once on sidelight and webhook; SIEGE_MINUTES=10
	@$(MAKE) --no-print-directory -s -j2 all
	@tests/siege/siege.py
soak: install-deps ## a busy Pod, counted exactly and without growth; MINUTES=30
	@$(MAKE) --no-print-directory -s -j2 all
	@tests/siege/soak.py

# --- manifests -----------------------------------------------------------------------

CERTS_DIR ?= kustomize/components/certs
EVALUATOR := $(CURDIR)/build/kubernetes-evaluator

.PHONY: certs policy check-policy completion
completion: $(BUILD)/sidelight ## make kustomize/kubectl_complete-sidelight again
	@$< completion kubectl > kustomize/kubectl_complete-sidelight
certs: $(BUILD)/sidelight-webhook ## a certificate of the webhook, for kustomize/components/certs
	@$< certs --namespace sidelight-system --dir $(CERTS_DIR)
policy: $(BUILD)/sidelight-webhook ## make policy.yaml and guard.yaml of webhook-manifests again
	@$< policy > webhook-manifests/policy/policy.yaml
	@$< guard > webhook-manifests/guard/guard.yaml
check-policy: all ## policies, in the API server's own code; building that takes minutes
	@tests/kubernetes/evaluator $(EVALUATOR)
	@EVALUATOR=$(EVALUATOR)/evaluate python3 tests/e2e/test_policy.py
	@EVALUATOR=$(EVALUATOR)/evaluate python3 tests/e2e/test_guard.py

# --- lint --------------------------------------------------------------------------

LINT_C  := $(sort $(wildcard bpf/*.c bpf/*.h sidecar/*.[ch] sidecar/*/*.[ch] tests/*/*.[ch]))
LINT_H  := $(filter-out bpf/%.bpf.h,$(filter %.h,$(LINT_C)))
LINT_BPF_H := $(filter bpf/%.bpf.h,$(LINT_C))
LINT_SH := $(shell grep -lE '^\#!(/usr/bin/env bash|/bin/(ba)?sh)' .ci/run kustomize/kubectl-sidelight kustomize/kubectl_complete-sidelight \
	$$(find tests sidecar/packaging -type f ! -name '*.*') 2>/dev/null)

.PHONY: lint lint-run lint-format lint-headers lint-tidy lint-shell
lint: deps-lint ## format, clang-tidy, self-contained headers, layers, file lengths, READMEs, shellcheck
	@$(MAKE) --no-print-directory -j2 lint-run
lint-run: lint-format lint-headers lint-tidy lint-shell all
	@tests/lint/layers
	@tests/lint/readme $(BUILD)/sidelight $(BUILD)/sidelight-webhook
	@tests/lint/lengths
	@tests/lint/version
	@tests/lint/metrics
	@tests/lint/variables $(BUILD)/sidelight
	@echo lint: clean
lint-format:
	@clang-format --dry-run -Werror $(LINT_C)
lint-headers: $(GENERATED)
	@set -e; for h in $(LINT_H); do \
		$(CC) $(CPPFLAGS) $(CFLAGS) -Werror=implicit-function-declaration -fsyntax-only -x c $$h; done
	@set -e; for h in $(LINT_BPF_H); do $(CLANG) $(BPF_FLAGS) -Wno-unused-function \
		-fsyntax-only -x c $$h; done
# One flag per line: clang-tidy reads them from there, and so does clangd.
$(BUILD)/compile_flags.txt: Makefile
	@mkdir -p $(@D)
	@printf '%s\n' $(patsubst -I%,-I$(CURDIR)/%,$(filter-out $(CPPFLAGS_PKGS),$(CPPFLAGS))) \
		$(CPPFLAGS_PKGS) -std=gnu11 -Wall -Wextra > $@
lint-tidy: $(GENERATED) $(BUILD)/webhook/template.json.h $(UI_ASSETS) $(BUILD)/compile_flags.txt
	@printf '%s\n' $(filter sidecar/%.c,$(LINT_C)) | \
		xargs -P2 -n4 clang-tidy --quiet -p $(BUILD) 2>/dev/null
lint-shell:
	@$(if $(LINT_SH),shellcheck $(LINT_SH),true)

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(BUILD)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' $(filter Makefile %.mk,$(MAKEFILE_LIST)) | expand -t 22
