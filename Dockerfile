# botwatch as an image of one static program. Configure it by the environment
# (README.md, "Configuration"): the health check sees that, and no flags of run.
#
#   docker build --tag botwatch .
#   docker run --env BOTWATCH_STORE=mongodb://HOST/DATABASE botwatch

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags='-s -w' -o /out/botwatch ./cmd/botwatch \
    && mkdir /out/empty

FROM scratch
# What TLS to a MongoDB needs.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/botwatch /usr/local/bin/botwatch
# Where a SQLite store lies, unless BOTWATCH_STORE says otherwise; and for demo.
COPY --from=build --chown=65532:65532 /out/empty /data
COPY --from=build --chown=65532:65532 /out/empty /tmp
ARG VERSION=devel
ARG REVISION=unknown
LABEL org.opencontainers.image.title="botwatch" \
      org.opencontainers.image.description="Keeps behaviour predictions true to crawled accounts" \
      org.opencontainers.image.licenses="GPL-3.0-or-later" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
WORKDIR /data
# A number, so that an orchestrator can tell that it is not root.
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/botwatch", "status", "--healthy"]
ENTRYPOINT ["/usr/local/bin/botwatch"]
CMD ["run"]
