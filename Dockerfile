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
COPY tests/install-packages tests/build-curl tests/
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
    lib=/usr/lib/$(${CROSS}gcc -print-multiarch); \
    copy_needed() { \
        for so in $(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do \
            case $so in ld-linux*) continue ;; esac; \
            if [ ! -e "$root$lib/$so" ]; then install -D "$lib/$so" "$root$lib/$so"; copy_needed "$lib/$so"; fi; \
        done; \
    }; \
    for program in sidelight sidelight-webhook; do \
        root=/out/$program; \
        install -d "$root/usr/bin" "$root/etc/ssl/certs"; \
        ${CROSS}strip -o "$root/usr/bin/$program" "/all/usr/bin/$program"; \
        loader=$(readelf -l "$root/usr/bin/$program" | sed -n 's/.*interpreter: \(.*\)\]/\1/p'); \
        install -D "$loader" "$root$loader"; \
        copy_needed "$root/usr/bin/$program"; \
        cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"; \
        echo 'hosts: files dns' >"$root/etc/nsswitch.conf"; \
    done; \
    # Not in force by themselves (=p): a container that grants fewer can still start the program,
    # which says what is missing.
    setcap cap_bpf,cap_net_admin,cap_perfmon,cap_sys_ptrace=p /out/sidelight/usr/bin/sidelight

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
