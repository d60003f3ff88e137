# The daemon as an image: docs/operating.md, "In a container".
#   docker build -t extension-registry .
#   docker run -e DATABASE_URL=… -e NATS_URL=… -p 127.0.0.1:8420:8420 extension-registry
# The image is what `npm pack` makes, installed: the same files as on any other host.
ARG NODE=24-bookworm-slim

FROM node:${NODE} AS package
WORKDIR /checkout
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json LICENSE README.md ARCHITECTURE.md CHANGELOG.md ./
COPY bench/RESULTS.md bench/
COPY console console
COPY deploy deploy
COPY docs docs
COPY drizzle drizzle
COPY examples examples
COPY scripts scripts
COPY src src
RUN mkdir /package
RUN npm pack --pack-destination /package

FROM node:${NODE} AS installed
WORKDIR /opt/extension-registry
COPY --from=package /package/ /package/
RUN npm install --prefix /opt/extension-registry --omit=dev --engine-strict --no-audit --no-fund /package/extension-registry-*.tgz

FROM node:${NODE}
COPY --from=installed /opt/extension-registry /opt/extension-registry
RUN install -d -o node -g node -m 0700 /var/lib/extension-registry
ENV NODE_ENV=production EXTENSION_REGISTRY_DATA_DIR=/var/lib/extension-registry
ENV PATH=/opt/extension-registry/node_modules/.bin:$PATH
USER node
WORKDIR /var/lib/extension-registry
VOLUME /var/lib/extension-registry
EXPOSE 8420
STOPSIGNAL SIGTERM
# Longer than shutdown_timeout_seconds: docker stop --time 35.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["extreg", "status", "--quiet"]
ENTRYPOINT ["extreg"]
CMD ["serve"]
