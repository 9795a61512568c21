import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AlertPage, ComparisonPage, Ledger, Summary } from "../../src/control/api.js";
import { eventually, type Product, startProduct } from "../support/product.js";

const summaryOf = (product: Product, candidate: string) =>
  product.api<Summary>(`/deployments/digits/candidates/${candidate}/summary`);
const ledgerOf = (product: Product) => product.api<Ledger>("/deployments/digits/ledger");
const sum = (counts: Record<string, number>) => Object.values(counts).reduce((total, n) => total + n, 0);

/** Command lines of all processes below `pid`. */
function descendants(pid: number): { pid: number; command: string }[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // It ended between the listing and the reading.
    }
  }
  const isBelow = (child: number): boolean => {
    const parent = parents.get(child);
    return parent !== undefined && (parent === pid || isBelow(parent));
  };
  return [...parents.keys()].filter(isBelow).map((child) => ({ pid: child, command: commandOf(child) }));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

describe("the demo, started as its user starts it", () => {
  let product: Product;

  beforeAll(async () => {
    product = await startProduct();
  });
  afterAll(() => product?.remove());

  test("replays to both candidates and tells them apart", async () => {
    const ledger = await eventually(
      () => ledgerOf(product),
      ({ candidates }) => candidates.int8!.compared > 300 && candidates.regressed!.compared > 300,
      { withinMs: 120_000 },
    );
    expect(ledger.balanced).toBe(true);
    const int8 = await summaryOf(product, "int8");
    const regressed = await summaryOf(product, "regressed");
    expect(int8.samples).toBeGreaterThan(200);
    expect(int8.diffRate).toBeLessThan(0.05);
    expect(regressed.diffRate).toBeGreaterThan(0.3);
    expect(int8.errorRate).toBe(0);
  }, 150_000);

  test("balances at every read, under traffic", async () => {
    for (let read = 0; read < 40; read += 1) {
      const ledger = await ledgerOf(product);
      expect(ledger.balanced, JSON.stringify(ledger)).toBe(true);
      expect(ledger.received).toBe(
        ledger.inFlight +
          ledger.sampledOut +
          sum(ledger.notEligible) +
          sum(ledger.dropped) +
          ledger.lost +
          ledger.buffered +
          ledger.captured,
      );
      for (const terms of Object.values(ledger.candidates)) {
        expect(ledger.captured).toBe(
          terms.compared +
            sum(terms.candidateError) +
            sum(terms.notReplayed) +
            terms.expired +
            terms.dead +
            terms.erased +
            terms.pending,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  test("alerts on the regressed candidate alone, and the webhook arrives", async () => {
    const { items } = await eventually(
      () => product.api<AlertPage>("/alerts"),
      (page) =>
        page.items.some((alert) => alert.deliveries.some((delivery) => delivery.state === "delivered")),
    );
    expect(items.map(({ candidate, state }) => ({ candidate, state }))).toEqual([
      { candidate: "regressed", state: "firing" },
    ]);
    expect(product.stderr()).toMatch(/webhook received: .*regressed/);
  });

  test("a killed worker is started again; nothing is lost or counted twice", async () => {
    const worker = descendants(product.process.pid!).find(({ command }) => / worker$/.test(command))!;
    const before = await ledgerOf(product);
    process.kill(worker.pid, "SIGKILL");
    const after = await eventually(
      () => ledgerOf(product),
      ({ candidates }) => candidates.int8!.compared > before.candidates.int8!.compared + 300,
      { withinMs: 90_000 },
    );
    expect(after.balanced).toBe(true);
    const again = descendants(product.process.pid!).find(({ command }) => / worker$/.test(command))!;
    expect(again.pid).not.toBe(worker.pid);
  }, 120_000);

  test("stops entirely on SIGINT, and continues with its data", async () => {
    const processes = descendants(product.process.pid!);
    expect(processes.length).toBeGreaterThan(5);
    const { items } = await product.api<ComparisonPage>(
      "/deployments/digits/candidates/int8/comparisons?limit=1",
    );
    expect(await product.stop()).toBe(0);
    expect(processes.filter(({ pid, command }) => command !== "" && commandOf(pid) === command)).toEqual([]);

    product = await startProduct(["--demo"], { dataDir: product.dataDir });
    const found = await product.api<{ id: string }>(`/comparisons/${items[0]!.id}`);
    expect(found.id).toBe(items[0]!.id);
    const before = await ledgerOf(product);
    await eventually(
      () => ledgerOf(product),
      (ledger) => ledger.candidates.int8!.compared > before.candidates.int8!.compared,
    );
    const ledger = await ledgerOf(product);
    expect(ledger.balanced).toBe(true);
    expect(ledger.lost).toBe(0);
    expect(ledger.dropped).toEqual({});
  }, 120_000);
});
