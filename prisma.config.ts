import { defineConfig } from "prisma/config";

// Only `prisma generate` reads this file. Migrations run through `understudy migrate`, which needs no network.
export default defineConfig({ schema: "prisma/schema.prisma" });
