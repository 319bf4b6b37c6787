# SPDX-License-Identifier: Apache-2.0
#
#   docker build --target sidelight -t sidelight .
#   docker build --target sidelight-webhook -t sidelight-webhook .
#
# An image holds one program and the libraries that it needs: no shell, no
# package manager. --platform linux/arm64 is compiled on the machine at hand.
#
# A tag moves: a release says --build-arg BASE=docker.io/library/debian@sha256:DIGEST.

ARG BASE=docker.io/library/debian:trixie-slim
FROM --platform=$BUILDPLATFORM $BASE AS build
ARG TARGETARCH
WORKDIR /src
COPY Makefile ./
COPY tests/install-packages tests/build-curl tests/fetch-source tests/
RUN set -eu; \
    command -v make >/dev/null || { apt-get -q update; apt-get -q -y --no-install-recommends install make; }; \
    case $TARGETARCH-$(uname -m) in \
    arm64-x86_64) make deps-image-arm64 ;; \
    *) make deps-image ;; \
    esac
COPY bpf bpf
COPY sidecar sidecar
ARG REVISION=unknown
RUN set -eu; \
    case $TARGETARCH-$(uname -m) in \
    arm64-x86_64) CROSS=aarch64-linux-gnu- ;; \
    *) CROSS= ;; \
    esac; \
    make -j"$(nproc)" LEAN=1 CROSS=$CROSS REVISION="$REVISION" DESTDIR=/all install; \
    for program in sidelight sidelight-webhook; do \
        sidecar/packaging/image-root "/all/usr/bin/$program" "/out/$program" $CROSS; \
    done

FROM scratch AS sidelight-webhook
COPY --from=build /out/sidelight-webhook /
USER 65532:65532
EXPOSE 8443
LABEL org.opencontainers.image.title="sidelight-webhook" \
      org.opencontainers.image.description="Admission webhook that puts the sidelight sidecar into Pods" \
      org.opencontainers.image.licenses="Apache-2.0"
ARG REVISION=unknown
LABEL org.opencontainers.image.revision="$REVISION"
ENTRYPOINT ["/usr/bin/sidelight-webhook"]
CMD ["serve"]

FROM scratch AS sidelight
COPY --from=build /out/sidelight /
EXPOSE 9465
LABEL org.opencontainers.image.title="sidelight" \
      org.opencontainers.image.description="eBPF sidecar that measures the HTTP requests of one Pod" \
      org.opencontainers.image.licenses="Apache-2.0"
ARG REVISION=unknown
LABEL org.opencontainers.image.revision="$REVISION"
ENTRYPOINT ["/usr/bin/sidelight"]
CMD ["run"]
