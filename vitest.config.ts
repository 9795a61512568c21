import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/browser/**", "test/interop/**", "node_modules/**"],
    // Two cores: more workers only make real processes wait for each other.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: process.env["UNDERSTUDY_TEST_REPORT"]
      ? ["default", ["json", { outputFile: process.env["UNDERSTUDY_TEST_REPORT"] }]]
      : ["default"],
  },
});
