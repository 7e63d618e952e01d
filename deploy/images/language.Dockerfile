# A language's sandbox image. The build context is services/sandbox/languages/<name>/image; setup.sh there may change the image.
ARG AGENT
FROM ${AGENT} AS agent

FROM debian:trixie-slim
ARG PACKAGES
COPY . /rungrid/language
# One layer: what setup.sh takes away again is not in the image. Nobody reads manuals in a sandbox; the folder of the first section stays, for
# some packages link into it. No file may raise privileges, and nothing but /tmp is writable for a uid that owns nothing.
RUN set -eu; \
    printf 'path-exclude=/usr/share/%s/*\n' doc man info locale lintian > /etc/dpkg/dpkg.cfg.d/rungrid; mkdir -p /usr/share/man/man1; \
    if [ -n "${PACKAGES}" ]; then \
      export DEBIAN_FRONTEND=noninteractive; \
      apt-get update; apt-get install -y --no-install-recommends ${PACKAGES}; \
      apt-get clean; rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*; \
    fi; \
    cd /rungrid/language; \
    if [ -f setup.sh ]; then sh setup.sh; rm setup.sh; fi; \
    find / -xdev -type f -perm /6000 -exec chmod a-s {} +; \
    [ -z "$(find / -xdev -type f -perm /6000 -print)" ]; \
    chmod -R u=rwX,go=rX /rungrid/language; rm -rf /tmp/* /tmp/.[!.]*
COPY --from=agent /rungrid/agent /rungrid/agent-readable /rungrid/probe /rungrid/gate.so /rungrid/
ENV HOME=/tmp LANG=C.UTF-8
USER 65534:65534
WORKDIR /tmp
ENTRYPOINT ["/rungrid/agent"]
