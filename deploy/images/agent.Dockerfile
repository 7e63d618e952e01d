# The agent alone: one static binary, built from services/sandbox/agent (the build context).
FROM debian:trixie-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev musl-dev musl-tools \
 && rm -rf /var/lib/apt/lists/*
COPY *.c *.h build.sh /src/
RUN cd /src && sh build.sh /agent

FROM scratch
# Execute only: what can't be read is not dumpable from the first instruction on.
COPY --from=build /agent /rungrid/agent
ENTRYPOINT ["/rungrid/agent"]
