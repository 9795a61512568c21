import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { ComparisonPage } from "../../src/control/api.js";
import { eventually, type Product, startProduct } from "../support/product.js";
import { hasBrowser, openBrowser, openPage } from "./browser.js";
import { hostile, startHostileModel } from "./hostile-model.js";

const name = `a${"-very-long".repeat(12)}-name`;

describe.skipIf(!hasBrowser())("the reviewer page, from nothing to a model that means harm", () => {
  let product: Product;
  let browser: Browser;
  let page: Page;
  let faults: string[];
  let model: Awaited<ReturnType<typeof startHostileModel>>;

  beforeAll(async () => {
    browser = await openBrowser();
    model = await startHostileModel();
    product = await startProduct([]);
    ({ page, faults } = await openPage(browser, product.control));
  }, 180_000);
  afterEach(async () => {
    expect(faults.splice(0)).toEqual([]);
    expect(await page.evaluate("'pwned' in window")).toBe(false);
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
  });
  afterAll(async () => {
    await browser?.close();
    await product?.remove();
    await model?.close();
  });

  async function post(path: string, body: object): Promise<void> {
    const response = await fetch(`${product.control}/api/v1${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(response.status, await response.text()).toBe(201);
  }

  test("no deployment: the overview says how to register one", async () => {
    await page.goto("/");
    await page.getByText("No deployment yet.").waitFor();
    await page.getByText("understudy register NAME").waitFor();
  });

  test("no alert and no rule: the page says how to make one", async () => {
    await page.goto("/alerts");
    await page.getByText("No alert.").waitFor();
    await page.getByText("No rule yet.").waitFor();
    await page.getByText(`curl ${product.control}/api/v1/alert-rules`).waitFor();
  });

  test("no candidate, then no request", async () => {
    await post("/deployments", { name, primary: { url: `${model.url}/primary`, model: "m" } });
    await page.goto("/");
    await page.getByText("No candidate yet.").waitFor();
    await page.getByText(`understudy candidate ${name}`).waitFor();
    await post(`/deployments/${name}/candidates`, {
      name: "evil",
      url: `${model.url}/candidate`,
      model: "m",
    });
    await post(`/deployments/${name}/candidates`, { name: "broken", url: `${model.url}/broken`, model: "m" });
    await page.goto(`/deployments/${name}/ledger`);
    await page.getByText("No request in this range.").waitFor();
    await page.goto(`/deployments/${name}/candidates/evil`);
    await page.getByText("Nothing compared yet.").waitFor();
    await page.getByText("/v2/models/m/infer").waitFor();
  });

  test("names and values that an attacker chose are text, and cannot turn the text around them", async () => {
    await post("/alert-rules", {
      deployment: name,
      threshold: 0.5,
      name: `${hostile.output}${hostile.value}`,
    });
    const request = {
      inputs: [{ name: "in", datatype: "FP32", shape: [1], data: [1] }],
    };
    const id = await eventually(
      async () => {
        await fetch(`${product.gateway}/v2/models/m/infer`, {
          method: "POST",
          headers: { "content-type": "application/json", "x-request-id": hostile.version },
          body: JSON.stringify(request),
        });
        return product.api<ComparisonPage>(`/deployments/${name}/candidates/evil/comparisons`);
      },
      ({ items }) => items.length > 0,
    ).then(({ items }) => items[0]!.id);

    await page.goto(`/deployments/${name}/candidates/evil`);
    const table = page.getByRole("region", { name: "Comparisons" });
    await table.getByText(hostile.output).first().waitFor();
    await page.getByRole("combobox", { name: "Output", exact: true }).selectOption(hostile.output);
    await expect.poll(() => new URL(page.url()).searchParams.get("output")).toBe(hostile.output);
    await table.getByText("missing output").first().waitFor();

    await page.goto(`/comparisons/${id}`);
    await page.getByRole("heading", { name: "lacks the output lacking" }).waitFor();
    await page.getByText(hostile.shownValue).first().waitFor();
    await page.getByText(hostile.version).first().waitFor();
    expect(await page.locator("main").innerText()).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
    expect(await page.locator("main script, main img").count()).toBe(0);

    await page.goto("/alerts");
    await page.getByText(`${hostile.output}${hostile.shownValue}`).first().waitFor();
  });

  test("a candidate that only fails: its errors are named, and never counted as samples", async () => {
    await eventually(
      () => product.api<ComparisonPage>(`/deployments/${name}/candidates/broken/comparisons`),
      ({ items }) => items.length > 0,
    );
    await page.goto(`/deployments/${name}/candidates/broken`);
    await page.getByText("No two answers to compare.").waitFor();
    await page.getByRole("link", { name: "What came back instead" }).click();
    const row = page.getByRole("region", { name: "Comparisons" }).locator("tbody tr").first();
    await row.getByText("http 5xx").waitFor();
    await row.getByRole("link").first().click();
    await page.getByRole("heading", { name: "The candidate did not answer: it failed (5xx)." }).waitFor();
    await page.goto(`/deployments/${name}/ledger`);
    await page.getByRole("region", { name: "Captured requests, broken" }).getByText("http 5xx").waitFor();
  });
});
