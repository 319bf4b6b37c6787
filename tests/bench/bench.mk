# SPDX-License-Identifier: Apache-2.0
#
# Part of the Makefile: what sidelight costs. BIN=path measures another build.

# What sidelight stands beside: programs that do nothing, and a capture that only copies; a
# client that saturates nginx; what the caches of this machine take; and a uprobe that does nothing.
NOTHING := $(BUILD)/tests/bench/nothing.bpf.o
BARE    := $(BUILD)/tests/bench/bare $(BUILD)/tests/bench/bare.bpf.o
TOOLS   := $(addprefix $(BUILD)/tests/bench/,asker lines probe probe.bpf.o)
-include $(addprefix $(BUILD)/tests/bench/,nothing.bpf.d bare.bpf.d bare.d asker.d lines.d probe.d probe.bpf.d \
	pushers.d)

$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/tests/bench/pushers: $(LIBRARY) # the real exporter
$(BUILD)/tests/bench/probe: $(LIBRARY) # what finds the place

.PHONY: bench bench-exact bench-exports
bench: deps-bench ## what it costs on this machine; leaves build/bench.md
	@$(MAKE) --no-print-directory -s -j2 all $(BARE) $(TOOLS) $(BUILD)/peers/go.built \
		$(BUILD)/tests/e2e/push_driver $(BUILD)/tests/e2e/calls_driver \
		$(BUILD)/tests/bench/pushers
	@tests/bench/run --markdown $(BUILD)/bench.md $(BIN)
	@tests/bench/http2 --markdown $(BUILD)/bench.md $(BIN)
	@tests/bench/tls --markdown $(BUILD)/bench.md $(BIN)
	@tests/bench/scrapes --markdown $(BUILD)/bench.md
	@tests/bench/scale --markdown $(BUILD)/bench.md
	@tests/bench/fields $(BIN)
	@tests/bench/hostile --markdown $(BUILD)/bench.md $(BIN)
	@tests/bench/webhook
	@tests/bench/readers $(BIN)
	@tests/bench/syscalls --markdown $(BUILD)/bench.md $(BIN)
bench-exact: deps-guest ## instructions per request, in an emulated guest
	@$(MAKE) --no-print-directory -s -j2 all $(NOTHING)
	@tests/bench/exact $(BIN)
bench-exports: deps-guest ## instructions per request with exemplars and OTLP, in an emulated guest
	@$(MAKE) --no-print-directory -s -j2 all
	@tests/bench/exports $(BIN)
