import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DeploymentPage, Ledger } from "../../src/control/api.js";
import { eventually, type Product, startProduct } from "../support/product.js";
import { requirePython, runPython } from "./python.js";

const python = requirePython("tritonclient.http");

let product: Product;
beforeAll(async () => {
  if (python) product = await startProduct();
});
afterAll(() => product?.remove());

test.runIf(python)(
  "tritonclient sees the primary's own answers through the gateway, to the byte",
  async () => {
    const { items } = await product.api<DeploymentPage>("/deployments");
    const hosts = [product.gateway, items[0]!.primary.url].map((url) => new URL(url).host);
    const before = await product.api<Ledger>("/deployments/digits/ledger");

    const said = JSON.parse(await runPython([join(import.meta.dirname, "triton_client.py"), ...hosts]));

    expect(said.differed).toEqual({});
    expect(said.agreed.length).toBeGreaterThanOrEqual(34);
    // Malformed requests went through, and are accounted for as what they are.
    const after = await eventually(
      () => product.api<Ledger>("/deployments/digits/ledger"),
      (ledger) => (ledger.notEligible.parse ?? 0) > (before.notEligible.parse ?? 0),
    );
    expect(after.balanced).toBe(true);
  },
);
