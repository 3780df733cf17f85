# The worker on a small Debian. Jobs run with the tools of this image: put yours on top of it, or give another base.
ARG SWIFT_IMAGE=swift:6.3-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${SWIFT_IMAGE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends libmosquitto-dev libssl-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# What was built before is kept outside the image, so that the next build compiles only what changed.
RUN --mount=type=cache,target=/source/.build \
    swift build -c release --static-swift-stdlib --toolset toolset.json --product mqtt-fs-worker --disable-local-rpath \
      -Xlinker -s \
 && install -D "$(swift build -c release --static-swift-stdlib --toolset toolset.json --show-bin-path)/mqtt-fs-worker" /product/mqtt-fs-worker

FROM ${BASE_IMAGE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends libmosquitto1 libssl3 libstdc++6 ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin worker \
 && mkdir -m 1777 /jobs /workspaces /cache
COPY --from=build /product/mqtt-fs-worker /usr/local/bin/mqtt-fs-worker
# The folders may be written by any user, so that the image also runs with the uid of whoever owns the volume.
ENV MQTT_JOBS_DIR=/jobs MQTT_WORKSPACES_DIR=/workspaces JOB_CACHE_DIR=/cache WORKER_ID=worker-%h HOME=/tmp
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/mqtt-fs-worker", "health"]
ENTRYPOINT ["/usr/local/bin/mqtt-fs-worker"]
# The version is the executable's; a test holds it against that of the sources.
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="mqtt-fs-worker" \
      org.opencontainers.image.description="One-shot worker for jobs over MQTT and a shared volume" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
