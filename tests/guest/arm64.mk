# SPDX-License-Identifier: Apache-2.0
#
# Part of the Makefile.

# The tests of an arm64 build that need no kernel of their own, executed by qemu-user; those that
# do: make kernels ARCH=arm64.
ARM64_PACKAGES := qemu-user-static libcmocka-dev:arm64 libnghttp2-dev:arm64
ARM64_RUN := qemu-aarch64-static $(BUILD)/arm64
# Of these, qemu-user lacks something: see arm64.skips beside this file.
ARM64_SKIPS = $(shell sed -n 's/^\(test_[a-z0-9_]*\) .*/\1/p' tests/guest/arm64.skips)
ARM64_UNIT = $(filter-out $(ARM64_SKIPS:%=tests/unit/%),$(UNIT_SOURCES:%.c=%))

.PHONY: check-arm64
check-arm64: deps-arm64 ## unit tests, seeds of the fuzzers and replays of an arm64 build, under qemu-user
	@tests/install-packages $(ARM64_PACKAGES)
	@$(MAKE) --no-print-directory -s -j2 CROSS=aarch64-linux-gnu- BUILD=$(BUILD)/arm64 all unit-tests
	@tests/run $(foreach t,$(ARM64_UNIT),"$(ARM64_RUN)/$t") \
		$(foreach n,$(FUZZ_NAMES),"$(ARM64_RUN)/tests/fuzz/replay_$n tests/fuzz/corpus/$n") \
		"env SIDELIGHT=tests/guest/arm64-sidelight tests/replay/run.py"
