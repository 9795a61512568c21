# One image for every process; the command chooses which.
FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY . .
RUN npm ci && npm prune --omit=dev

FROM node:20-bookworm-slim
ENV NODE_ENV=production UNDERSTUDY_HOST=0.0.0.0 UNDERSTUDY_DATA_DIR=/data UNDERSTUDY_MODELS_DIR=/models
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/prisma ./prisma
COPY --from=build /app/examples/digits ./examples/digits
RUN mkdir -p /blobs /data /models && chown node:node /blobs /data /models
USER node
VOLUME ["/data", "/blobs"]
ENTRYPOINT ["node", "dist/src/cli/main.js"]
CMD ["--help"]
