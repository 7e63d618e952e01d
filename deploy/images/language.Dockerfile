# A language's sandbox image. The build context is services/sandbox/languages/<name>/image; setup.sh there may change the image.
ARG AGENT
FROM ${AGENT} AS agent

FROM debian:trixie-slim
ARG PACKAGES
# Nobody reads manuals in a sandbox. The folder stays: some packages link into it.
RUN printf 'path-exclude=/usr/share/%s/*\n' doc man info locale lintian > /etc/dpkg/dpkg.cfg.d/rungrid && mkdir -p /usr/share/man/man1
COPY . /rungrid/language
# One layer: what setup.sh takes out must not stay in the one below. The agent comes last: a new one installs no package again.
# No file may raise privileges, and nothing but /tmp is writable for a uid that owns nothing.
RUN set -eu; \
    if [ -n "${PACKAGES}" ]; then \
      export DEBIAN_FRONTEND=noninteractive; \
      apt-get update; \
      apt-get install -y --no-install-recommends ${PACKAGES}; \
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
