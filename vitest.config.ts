import { defineConfig } from "vitest/config";

const report = process.env.UNDERSTUDY_TEST_REPORT;

export default defineConfig({
  test: {
    // Two cores: more workers only make real processes wait for each other.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // How long something may take says nothing of whether it is right.
    expect: { poll: { timeout: 30_000 } },
    globalSetup: ["test/support/global-setup.ts"],
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/browser/**", "test/interop/**", "test/faults/**"],
        },
      },
      { extends: true, test: { name: "browser", include: ["test/browser/**/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "faults",
          // Rows of docs/faults.md that tests of single parts prove with real processes run here as well.
          include: [
            "test/faults/**/*.test.ts",
            "test/gateway/disk-full.test.ts",
            "test/gateway/faults.test.ts",
            "test/pipeline/**/*.test.ts",
            "test/queue/redis.test.ts",
            "test/workers/**/*.test.ts",
          ],
          // Halted servers and killed processes: another file's load would blur what a fault did.
          fileParallelism: false,
          testTimeout: 900_000,
        },
      },
      { extends: true, test: { name: "interop", include: ["test/interop/**/*.test.ts"] } },
    ],
  },
});
