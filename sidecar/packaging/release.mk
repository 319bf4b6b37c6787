# SPDX-License-Identifier: Apache-2.0
#
# Part of the Makefile.

RELEASE_PACKAGES := flex bison python3 python3-yaml xz-utils
CHECK_RELEASE_PACKAGES := debootstrap lintian systemd $(POD_PACKAGES)

# What users of a version get: sidecar/packaging/README.md.
.PHONY: release check-release
ARCHITECTURES ?=
release: deps-image $(if $(filter arm64,$(ARCHITECTURES)),deps-image-arm64) ## reproducible: .deb, static tarball, images, manifests, SBOM, checksums in build/release
	@tests/install-packages $(RELEASE_PACKAGES)
	@BUILD_PACKAGES="$(sort $(BUILD_PACKAGES))" CACHE=$(BUILD) sidecar/packaging/release $(BUILD)/release $(ARCHITECTURES)
check-release: release ## builds it a second time elsewhere, compares, installs it on Debian 12 and 13
	@tests/install-packages $(CHECK_RELEASE_PACKAGES)
	@tests/release/check $(BUILD)/release
