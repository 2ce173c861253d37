# The gateway: docker build -t dragoman .
# The sandbox carrier of docker-compose.yml: docker build --target sandbox -t dragoman-sandbox .
FROM node:24-bookworm-slim AS base
WORKDIR /app
COPY package.json package-lock.json ./

# The image brings Node 24: the one that npm would install for older machines is left out, and with it every install script.
FROM base AS sandbox
RUN npm ci --ignore-scripts && rm -rf node_modules/node node_modules/.bin/node
COPY demo ./demo
USER node
CMD ["node", "demo/carrier.ts", "2775", "0.0.0.0"]

FROM base AS production
RUN npm ci --omit=dev --ignore-scripts && rm -rf node_modules/node node_modules/.bin/node

FROM node:24-bookworm-slim AS gateway
ENV NODE_ENV=production NODE_COMPILE_CACHE=/tmp/node-compile-cache
WORKDIR /app
COPY --from=production /app ./
COPY LICENSE ./
COPY bin ./bin
COPY config ./config
COPY console ./console
COPY src ./src
COPY adapters ./adapters
RUN mkdir data && chown node:node data
USER node
VOLUME /app/data
# Admin side; the networks' ports are the configuration's own.
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--max-semi-space-size=32", "--no-allocation-site-pretenuring", "src/cli/main.ts"]
CMD ["start", "--config", "config/dragoman.yaml"]
