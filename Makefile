# sidelight: see README.md. `make help` lists the targets.

BUILD    ?= build
CC       ?= gcc
CLANG    ?= clang
BPFTOOL  ?= bpftool
SANITIZE ?=
VERSION  := 0.1.0
REVISION := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

ifneq ($(SANITIZE),)
BUILD := $(BUILD)/sanitize
SANITIZE_FLAGS := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

# --- what it is built with -----------------------------------------------------

# pkg-config name : Debian package
LIBRARIES := libbpf:libbpf-dev libcurl:libcurl4-gnutls-dev libcjson:libcjson-dev \
	libcap:libcap-dev libmicrohttpd:libmicrohttpd-dev libuv:libuv1-dev \
	libpcap:libpcap-dev zlib:zlib1g-dev
PKGS := $(foreach l,$(LIBRARIES),$(firstword $(subst :, ,$(l))))

BUILD_PACKAGES := gcc make clang llvm bpftool pkg-config linux-libc-dev uthash-dev \
	$(foreach l,$(LIBRARIES),$(lastword $(subst :, ,$(l))))

ifeq ($(filter clean help install-% lint-%,$(MAKECMDGOALS)),)
CPPFLAGS_PKGS = $(shell pkg-config --cflags $(PKGS))
LDLIBS_PKGS   = $(shell pkg-config --libs $(PKGS))
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef \
	-Wpointer-arith -Wvla -Wwrite-strings -Wimplicit-fallthrough -Wformat=2 \
	-Wconversion -Wno-sign-conversion
CPPFLAGS += -D_GNU_SOURCE -Isidecar -Ibpf -I$(BUILD) $(CPPFLAGS_PKGS) \
	-DSIDELIGHT_VERSION='"$(VERSION)"' -DSIDELIGHT_REVISION='"$(REVISION)"'
CFLAGS   ?= -O2 -g
CFLAGS   += -std=gnu11 $(WARNINGS) $(SANITIZE_FLAGS)
LDFLAGS  += $(SANITIZE_FLAGS)
LDLIBS   += $(LDLIBS_PKGS)

# --- the program -----------------------------------------------------------------

SOURCES  := $(sort $(wildcard sidecar/*.c sidecar/*/*.c))
OBJECTS  := $(SOURCES:%.c=$(BUILD)/%.o)
MAIN     := $(BUILD)/sidecar/main.o
LIBRARY  := $(BUILD)/libsidelight.a
BPF      := $(sort $(wildcard bpf/*.bpf.c))
SKELETONS := $(BPF:bpf/%.bpf.c=$(BUILD)/%.skel.h)

.DEFAULT_GOAL := all
.PHONY: all
all: $(BUILD)/sidelight ## build build/sidelight

$(BUILD)/sidelight: $(MAIN) $(LIBRARY)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIBRARY): $(filter-out $(MAIN),$(OBJECTS))
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c | $(SKELETONS)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) -target bpf -O2 -g -Wall -Wextra -Ibpf -I/usr/include/$(shell uname -m)-linux-gnu \
		-MMD -MP -c -o $@ $<

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $(subst .,_,$*)_bpf > $@.tmp
	@mv $@.tmp $@

-include $(OBJECTS:.o=.d) $(BPF:bpf/%.bpf.c=$(BUILD)/%.bpf.d)

# --- unit tests --------------------------------------------------------------------

UNIT_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
UNIT_TESTS   := $(UNIT_SOURCES:%.c=$(BUILD)/%)

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(LIBRARY)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

.PRECIOUS: $(BUILD)/tests/unit/%.o
-include $(UNIT_SOURCES:%.c=$(BUILD)/%.d)

.PHONY: check
check: $(UNIT_TESTS) ## unit tests; SANITIZE=address,undefined for sanitizers
	@set -e; for t in $(UNIT_TESTS); do echo "== $$t"; $$t; done

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(BUILD)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 22
