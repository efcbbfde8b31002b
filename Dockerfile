# The packages, without those of development; no script of a package runs (trustedDependencies is empty).
FROM oven/bun:1.4.5 AS packages
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
COPY patches patches
RUN bun ci --production

FROM oven/bun:1.4.5-slim
WORKDIR /app
# chunks of files stand here while they are read: give it a volume, and the rest of the file system may be read-only
RUN mkdir /var/lib/bulk && chown bun:bun /var/lib/bulk
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY src src
# bun run keys
COPY scripts/keys.ts scripts/keys.ts
COPY figuras figuras
# Bun would keep what it has transpiled in a cache on disk
ENV NODE_ENV=production \
    BUN_RUNTIME_TRANSPILER_CACHE_PATH=0 \
    WORK_DIR=/var/lib/bulk \
    PORT=3000
USER bun
VOLUME /var/lib/bulk
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["bun", "-e", "process.exit((await fetch('http://127.0.0.1:' + process.env.PORT + '/livez')).ok ? 0 : 1)"]
# exec form: the service itself gets the SIGTERM, and drains
CMD ["bun", "src/main.ts"]
