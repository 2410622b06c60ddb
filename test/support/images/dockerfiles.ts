/** Dockerfiles as people write them, each with its context; what they make is looked at in the files of `looked`. */
export const dockerfiles: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a program in stages, with caches and binds': {
    Dockerfile: `ARG NODE_VERSION=20
FROM busybox AS base
WORKDIR /usr/src/app
ENV NODE_ENV=production
FROM base AS deps
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm --mount=type=bind,source=package.json,target=package.json \\
    mkdir -p node_modules && cp package-lock.json node_modules/
FROM base AS final
ARG NODE_VERSION
LABEL org.opencontainers.image.version="\${NODE_VERSION}" maintainer="Some One <a@b.c>"
COPY --from=deps /usr/src/app/node_modules ./node_modules
COPY . .
USER 1000:1000
EXPOSE 3000/tcp 3001
CMD node src/index.js
`,
    'package.json': `{}`,
    'package-lock.json': `{}`,
    'src/index.js': `1`,
    '.dockerignore': `**/*.md
!README.md
node_modules
.git
`,
    'README.md': `x`,
    'docs/a.md': `y`,
  },
  'a program alone on nothing': {
    Dockerfile: `FROM --platform=$BUILDPLATFORM busybox AS build
ARG TARGETOS TARGETARCH
ENV CGO_ENABLED=0 GOFLAGS="-mod=vendor -trimpath"
WORKDIR /src
ADD . /src
RUN set -eux; sh main.sh > /out-$TARGETOS; test -n "$TARGETARCH"
FROM scratch
WORKDIR /
COPY --from=build --chown=65532:65532 /src/main.sh /app
COPY --from=0 /bin/busybox /bin/sh
ENTRYPOINT ["/app"]
CMD ["--help", "it's \\"quoted\\""]
STOPSIGNAL SIGTERM
`,
    'main.sh': `echo hi
`,
  },
  'an application with a user, volumes and a health check': {
    Dockerfile: `FROM busybox
ENV PYTHONUNBUFFERED=1 \\
    PIP_NO_CACHE_DIR=off \\
    PATH="/opt/venv/bin:$PATH"
ARG UID=10001
RUN adduser -D -u "\${UID}" -h /nonexistent -s /sbin/nologin appuser || true
WORKDIR /app
COPY requirements*.txt /tmp/
COPY --chown=1:2 app/ app/
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s --retries=3 CMD wget -qO- http://localhost:8000/ || exit 1
USER appuser
VOLUME /data /var/log/app
ONBUILD COPY . /app
ONBUILD RUN ["echo", "built"]
CMD ["python", "-m", "app"]
`,
    'requirements.txt': `a`,
    'requirements-dev.txt': `b`,
    'app/__init__.py': ``,
  },
  'another shell and another escape character': {
    Dockerfile: `# escape=\`
FROM busybox
SHELL ["/bin/ash", "-eo", "pipefail", "-c"]
ENV A=1 \`
    B=two\\words \`
    C="$A-\${D:-none}"
RUN echo $C > /c && \`
    echo \${B} > /b
WORKDIR rel
WORKDIR ../up/./x
RUN pwd > /pwd
ENTRYPOINT exec top -b
`,
  },
  'arguments of all scopes': {
    Dockerfile: `ARG BASE=busybox
ARG TAG=latest
FROM \${BASE}:\${TAG} AS one
ARG TAG
ARG V=1.2.3-rc1
ARG EMPTY=
ENV V=\${V} MAJOR=\${V%%.*} NOPRE=\${V%-*} EMPTY=$EMPTY TAG=$TAG
LABEL v="$V" "spaced key"="a b" multi="line1\\
line2" esc="\\$V"
FROM one
ARG V
RUN echo "$V" > /v
ENV SEEN="x\${V}x"
USER root
USER nobody
WORKDIR /w$MAJOR
MAINTAINER me
EXPOSE $MAJOR 8000-8003/udp
`,
  },
  'triggers of a stage': {
    Dockerfile: `FROM busybox AS tmpl
ONBUILD ARG NAME=world
ONBUILD RUN echo hello $NAME > /hello
ONBUILD ENV GREETED=yes
ONBUILD WORKDIR /srv
FROM tmpl
COPY . .
CMD cat /hello
`,
    f: `x`,
  },
  heredocs: {
    Dockerfile: `FROM busybox
RUN <<EOT
set -e
echo one > /one
mkdir -p /x/y
EOT
RUN <<EOT ash
echo two > /two
EOT
COPY <<EOF /etc/app.conf
key=$PATH
EOF
COPY --chmod=755 <<-"RAW" /run.sh
	#!/bin/sh
	echo $HOME
RAW
CMD ["/run.sh"]
`,
  },
  'mounts of every kind': {
    Dockerfile: `FROM busybox AS gen
RUN echo data > /data && ln -s /data /link
FROM busybox
RUN --mount=type=bind,from=gen,target=/gen,rw echo x > /gen/new && cat /gen/data > /copy
RUN --mount=type=tmpfs,target=/scratch dd if=/dev/zero of=/scratch/z bs=1k count=10 && ls / > /ls
RUN --mount=type=secret,id=tok,required test "$(cat /run/secrets/tok)" = sesame
RUN --network=none --mount=type=cache,id=c,target=/c,uid=5,mode=0700 stat -c %u:%a /c > /st
COPY --link --chmod=0640 --from=gen /data /d/
COPY --from=gen /link /link2
`,
  },
  'a context of which most is left out': {
    Dockerfile: `FROM busybox
COPY . /all
RUN find /all | sort > /list
HEALTHCHECK NONE
ENTRYPOINT []
`,
    '.dockerignore': `# c
*
!src
!*.txt
src/**/tmp
!src/a/tmp/keep
  secret.txt  
/root.log
`,
    'src/a/tmp/keep': `1`,
    'src/a/tmp/no': `1`,
    'src/b/c.txt': `1`,
    'x.txt': `1`,
    'secret.txt': `1`,
    'root.log': `1`,
    'other/y': `1`,
  },
  'copies to all kinds of places': {
    Dockerfile: `FROM busybox
COPY a b /d1/
COPY a /file
COPY a /dir/
COPY dir /dir2
COPY dir/ /dir3/
COPY dir/s* /glob/
COPY ["with space", "/sp ace/"]
ADD --chown=1:2 a /owned/deep/
RUN ls -lnR /d1 /file /dir /dir2 /dir3 /glob "/sp ace" /owned | sed 's/ [A-Z][a-z][a-z] .*[0-9] / /' > /ls
CMD []
`,
    a: `A`,
    b: `B`,
    'dir/s1': `1`,
    'dir/s2': `2`,
    'dir/t': `t`,
    'with space': `w`,
  },
};

export const looked: readonly string[] = [
  '/list',
  '/ls',
  '/pwd',
  '/c',
  '/b',
  '/v',
  '/hello',
  '/etc/app.conf',
  '/run.sh',
  '/one',
  '/two',
  '/st',
  '/copy',
];
