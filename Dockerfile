# Builds Throughline and puts the one binary into an image without a shell.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked && cp target/release/throughline /throughline && mkdir /data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /throughline /usr/local/bin/throughline
# An empty folder of the right owner, which a new volume inherits.
COPY --from=build --chown=nonroot:nonroot /data /data
# Inside a container only what is published is reachable.
ENV THROUGHLINE_DATA_DIR=/data THROUGHLINE_LISTEN_ALL=true
VOLUME /data
EXPOSE 4317 4318 16686
USER nonroot
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/usr/local/bin/throughline", "health"]
ENTRYPOINT ["/usr/local/bin/throughline"]
