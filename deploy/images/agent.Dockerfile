# The agent and the self-test's probe, two static binaries, and the gate for interpreters; built from services/sandbox/agent (the build context).
FROM debian:trixie-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev musl-dev musl-tools \
 && rm -rf /var/lib/apt/lists/*
COPY *.c *.h build.sh /src/
RUN cd /src && sh build.sh /agent
# gVisor reads a program in order to run it: the same bytes once more, for that runtime only.
RUN cp /agent /agent-readable && chmod 0755 /agent-readable
COPY gate /gate
RUN cd /gate && sh build.sh /rungrid-gate.so
COPY probe /probe
RUN cd /probe && sh build.sh /rungrid-probe

FROM scratch
# Execute only: what can't be read is not dumpable from the first instruction on.
COPY --from=build /agent /rungrid/agent
COPY --from=build /agent-readable /rungrid/agent-readable
COPY --from=build /rungrid-probe /rungrid/probe
COPY --from=build /rungrid-gate.so /rungrid/gate.so
ENTRYPOINT ["/rungrid/agent"]
