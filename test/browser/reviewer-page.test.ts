import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { AlertPage, ComparisonDetail, ComparisonPage, Ledger } from "../../src/control/api.js";
import { eventually, type Product, startProduct } from "../support/product.js";
import { hasBrowser, openBrowser, openPage, screenshotFolder } from "./browser.js";

const tablePath = "/deployments/digits/candidates/regressed";
const rows = (page: Page) => page.getByRole("region", { name: "Comparisons" }).locator("tbody tr");
const choice = (page: Page, name: string) => page.getByRole("combobox", { name, exact: true });
const search = (page: Page) => Object.fromEntries(new URL(page.url()).searchParams);
const isDescending = (numbers: number[]) => numbers.every((n, i) => i === 0 || n <= numbers[i - 1]!);

describe.skipIf(!hasBrowser())("the reviewer page over the demo", () => {
  let product: Product;
  let browser: Browser;
  let page: Page;
  let faults: string[];
  let screenshots: string;

  beforeAll(async () => {
    screenshots = await screenshotFolder();
    browser = await openBrowser();
    product = await startProduct();
    await eventually(
      () => product.api<Ledger>("/deployments/digits/ledger"),
      ({ candidates }) => candidates.int8!.compared > 900 && candidates.regressed!.compared > 900,
      { withinMs: 150_000 },
    );
    await eventually(
      () => product.api<AlertPage>("/alerts"),
      ({ items }) => items.some(({ deliveries }) => deliveries.some(({ state }) => state === "delivered")),
    );
    ({ page, faults } = await openPage(browser, product.control));
  }, 240_000);
  afterEach(() => {
    expect(faults.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await product?.remove();
  });

  /** Down to where the content ends, at most `heightMax` pixels. */
  async function shoot(name: string, heightMax = 2_000): Promise<void> {
    const content = (await page.locator("main > :last-child").boundingBox())!;
    const height = Math.min(heightMax, Math.ceil(content.y + content.height) + 32);
    await page.screenshot({
      path: join(screenshots, `${name}.png`),
      fullPage: true,
      clip: { x: 0, y: 0, width: 1280, height },
      animations: "disabled",
    });
  }

  test("overview: every candidate with its rates, the one that alerts marked", async () => {
    await page.goto("/");
    const regressed = page.getByRole("row", { name: /^regressed/ });
    await regressed.getByText("firing").waitFor();
    const int8 = page.getByRole("row", { name: /^int8/ });
    const rate = async (row: typeof int8) => Number.parseFloat(await row.locator("td").nth(1).innerText());
    await expect.poll(() => rate(regressed)).toBeGreaterThan(30);
    await expect.poll(() => rate(int8)).toBeLessThan(5);
    expect(await int8.getByText("firing").count()).toBe(0);
    await page.getByText("balanced", { exact: true }).waitFor();
    await shoot("overview");
    await regressed.getByRole("link").click();
    await page.waitForURL(`**${tablePath}`);
  });

  test("settings: what is captured, redacted and asked of a deployment, as it was set", async () => {
    const change = {
      capture: {
        tags: ["x-tenant"],
        targets: [{ name: "slow", when: { slowerThanMs: 250, status: [503] }, share: 0.5 }],
      },
      redaction: { rules: [{ target: { header: "x-request-id" }, action: "drop" }] },
      keepAnswers: "divergent",
    };
    const set = (body: object) =>
      fetch(`${product.control}/api/v1/deployments/digits`, {
        method: "PATCH",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    expect((await set(change)).status).toBe(200);
    await page.goto("/");
    await page.getByRole("link", { name: "digits", exact: true }).click();
    await page.waitForURL("**/deployments/digits");
    const cell = (name: string) =>
      page
        .getByRole("row", { name: new RegExp(`^${name}`) })
        .locator("td")
        .first();
    await expect.poll(() => cell("base sample").innerText()).toMatch(/^100\.00\s%$/);
    expect(await cell("rules").innerText()).toMatch(
      /slow: 50\s% of those with status 503 and slower than 250\sms/,
    );
    expect(await cell("tags").innerText()).toBe("x-tenant");
    expect(await cell("sequences").innerText()).toBe("not captured");
    expect(await cell("answers kept").innerText()).toBe("those that are no plain match");
    await page.getByText("header x-request-id: drop").waitFor();
    await page.getByText(/a day at 100\s%/).waitFor();
    expect(await page.getByRole("row", { name: /^primary/ }).innerText()).toContain("http://127.0.0.1:");
    await page.getByRole("button", { name: "Switch capture off for digits" }).waitFor();
    const before = { capture: { tags: [], targets: [] }, redaction: {}, keepAnswers: "all" };
    expect((await set(before)).status).toBe(200);
    await page.reload();
    await expect.poll(() => cell("rules").innerText()).toBe("none");
  });

  test("live: numbers grow in place, nothing is taken away and put back", async () => {
    await page.goto("/");
    const cell = page.getByRole("row", { name: /^int8/ }).locator("td").first();
    await cell.filter({ hasText: /\d/ }).waitFor();
    const before = await cell.innerText();
    const table = await page.locator("table").elementHandle();
    await expect.poll(() => cell.innerText(), { timeout: 30_000 }).not.toBe(before);
    expect(await table!.evaluate((element) => element.isConnected)).toBe(true);
  });

  test("divergences: filters go into the URL, and the URL gives them back", async () => {
    await page.goto(tablePath);
    await rows(page).first().waitFor();
    expect(search(page)).toEqual({});
    await shoot("table", 1_000);

    await choice(page, "Output").selectOption("probabilities");
    await choice(page, "Sort").selectOption("largest error first");
    await expect.poll(() => search(page)).toEqual({ output: "probabilities", sort: "-maxAbs" });
    await expect
      .poll(async () => (await rows(page).first().innerText()).includes("probabilities"))
      .toBe(true);
    const errors = async () => (await rows(page).locator("td:nth-child(4)").allInnerTexts()).map(Number);
    await expect.poll(async () => isDescending(await errors())).toBe(true);
    expect((await errors()).length).toBeGreaterThan(10);

    await page.reload();
    await rows(page).first().waitFor();
    expect(await choice(page, "Output").inputValue()).toBe("probabilities");
    expect(await choice(page, "Sort").inputValue()).toBe("-maxAbs");

    await page.goBack();
    await expect.poll(() => search(page)).toEqual({ output: "probabilities" });
    await page.getByRole("button", { name: "Clear filters" }).click();
    await expect.poll(() => search(page)).toEqual({});
  });

  test("divergences: result, kind, signature and time", async () => {
    await page.goto("/deployments/digits/candidates/int8");
    await choice(page, "Result").selectOption("match");
    await expect
      .poll(async () => new Set(await rows(page).locator("td:nth-child(2)").allInnerTexts()))
      .toEqual(new Set(["match"]));

    await page.goto(tablePath);
    await choice(page, "Kind").selectOption("missing_output");
    await page.getByText("No comparison matches these filters.").waitFor();
    await choice(page, "Kind").selectOption("value");
    const signature = rows(page).first().locator("td:last-child a");
    const text = await signature.innerText();
    await signature.click();
    await expect.poll(() => search(page)).toEqual({ kind: "value", signature: text });
    await expect
      .poll(async () => new Set(await rows(page).locator("td:last-child").allInnerTexts()))
      .toEqual(new Set([text]));

    await page.goto(tablePath);
    await page.getByLabel("From", { exact: true }).fill("2024-01-02T03:04");
    // Berlin, in winter.
    await expect.poll(() => search(page)).toEqual({ from: "2024-01-02T02:04:00.000Z" });
    await page.getByLabel("To", { exact: true }).fill("2024-01-03T03:04");
    await page.getByText("No comparison matches these filters.").waitFor();
  });

  test("divergences: pages, there and back", async () => {
    await page.goto(`${tablePath}?result=any&sort=capturedAt`);
    const ids = async () =>
      rows(page)
        .getByRole("link")
        .evaluateAll((all) => all.map((link) => link.getAttribute("href")));
    await rows(page).first().waitFor();
    const first = (await ids()).filter((href) => href!.startsWith("/comparisons/"));
    expect(first).toHaveLength(50);
    expect(await page.getByRole("button", { name: "Older" }).isDisabled()).toBe(true);
    await page.getByRole("button", { name: "Newer" }).click();
    await expect.poll(() => search(page).cursor).toBeTruthy();
    await expect.poll(async () => (await ids()).some((href) => first.includes(href))).toBe(false);
    await page.getByRole("button", { name: "Newer" }).click();
    await page.getByRole("button", { name: "Older" }).click();
    await page.getByRole("button", { name: "Older" }).click();
    await expect.poll(() => search(page).cursor).toBeUndefined();
    await expect
      .poll(async () => (await ids()).filter((href) => href!.startsWith("/comparisons/")))
      .toEqual(first);
  });

  test("a candidate: the control's noise, decisions that changed, groups and what is said of them", async () => {
    await page.goto(tablePath);
    const outputs = page.getByRole("region", { name: "Outputs" }).locator("tbody tr");
    // The demo's control is its primary: it never differs from itself.
    await page.getByText("The noise floor is 0").waitFor();
    expect(await outputs.first().locator("td:nth-child(9)").innerText()).toBe("0");
    const changes = page.getByRole("region", { name: "Changed decisions" });
    expect(await changes.locator("tr", { hasText: "→" }).first().innerText()).toMatch(
      /^\d → \d\s+[\d,]+\s+\d+\s%$/,
    );
    const matrix = page.getByRole("region", { name: "Decisions of logits" });
    const cells = await matrix.locator("tbody td").allInnerTexts();
    expect(Math.max(...cells.map((cell) => Number(cell.replaceAll(",", ""))))).toBeGreaterThan(10);
    // No decision turns into itself.
    expect(new Set(await matrix.locator("td.unchanged").allInnerTexts())).toEqual(new Set([""]));

    const group = page.getByRole("region", { name: "Signatures" }).locator("tbody tr").first();
    const id = await group.locator("th").innerText();
    await group.getByText("new", { exact: true }).waitFor();
    await choice(page, `What ${id} is`).selectOption("accepted for a week");
    await group.getByText("accepted", { exact: true }).waitFor();
    await shoot("candidate");
    await page.reload();
    await group.getByText("accepted", { exact: true }).waitFor();
    await group.locator("th a").click();
    await expect.poll(() => search(page)).toEqual({ signature: id });
    await expect
      .poll(async () => new Set(await rows(page).locator("td:last-child").allInnerTexts()))
      .toEqual(new Set([id]));
    await group.locator("td a").first().click();
    await page.getByRole("heading", { level: 1, name: /says|differ/ }).waitFor();
  });

  test("one comparison: the sentence, the digit, both answers, the elements that differ most", async () => {
    const { items } = await product.api<ComparisonPage>(
      "/deployments/digits/candidates/regressed/comparisons?result=mismatch&sort=-maxAbs&limit=100",
    );
    const flipped = items.find(({ flip }) => flip)!;
    const detail = await product.api<ComparisonDetail>(`/comparisons/${flipped.id}`);
    const { from, to } = detail.outputs.find(({ name }) => name === "logits")!.decision!;

    await page.goto(`/comparisons/${flipped.id}`);
    await page.getByRole("heading", { name: `logits says ${to} where the primary says ${from}` }).waitFor();
    const picture = page.getByRole("img", { name: /^image, image 1, 8 by 8/ });
    await picture.waitFor();
    const shades = await picture
      .locator("rect")
      .evaluateAll((all) => new Set(all.map((r) => r.getAttribute("fill"))).size);
    expect(shades).toBeGreaterThan(4);
    expect(
      await page
        .getByRole("img", { name: /^logits: 0: / })
        .locator("rect")
        .count(),
    ).toBe(10);
    const worst = page
      .getByRole("region", { name: "Elements of logits that differ most" })
      .locator("tbody tr");
    const logits = detail.outputs.find(({ name }) => name === "logits")!;
    expect(await worst.count()).toBe(logits.worst.length);
    expect(await worst.first().innerText()).toContain(`[${logits.worst[0]!.index.join(", ")}]`);
    const { decades, equal } = logits.histogram!;
    expect(equal + decades.reduce((sum, { pairs }) => sum + pairs, 0)).toBe(logits.elements);
    const { decade, pairs } = decades.at(-1)!;
    const histogram = page.getByRole("img", { name: /^Errors of logits\./ });
    expect(await histogram.getAttribute("aria-label")).toContain(`1e${decade} to 1e${decade + 1}: ${pairs}`);
    // Every decade between the first and the last has its bar, and so have the equal ones.
    expect(await histogram.locator("rect").count()).toBe(decade - decades[0]!.decade + 2);
    const card = page.locator("section.card", {
      has: page.getByRole("heading", { name: "logits", level: 2 }),
    });
    const judged = await card.locator(".judged").innerText();
    expect(judged).toMatch(
      /^Judged by numpy, atol 0\.3, rtol 0\.02\. With this rtol an atol of \S+ would have passed\.$/,
    );
    const needed = Number(/atol of (\S+) would/.exec(judged)![1]);
    expect(needed).toBeGreaterThanOrEqual(logits.atolToPass as number);
    expect(needed).toBeLessThan((logits.atolToPass as number) * 1.01);
    await card.getByText(`decision ${from} → ${to} changed`).waitFor();
    await page.getByText("x-request-id").waitFor();
    const captured = page.locator("time").first();
    expect(await captured.getAttribute("title")).toBe(`${new Date(detail.capturedAt).toISOString()} (UTC)`);
    await shoot("detail");
  });

  test("one comparison leads back to the table as it was filtered", async () => {
    await page.goto(`${tablePath}?output=logits&sort=-maxAbs`);
    await rows(page).first().getByRole("link").first().click();
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.getByRole("navigation", { name: "Breadcrumbs" }).getByRole("link").last().click();
    await expect.poll(() => search(page)).toEqual({ output: "logits", sort: "-maxAbs" });
  });

  test("alerts: what fires, since when, who was told", async () => {
    await page.goto("/alerts");
    const alert = page.getByRole("region", { name: "Firing alerts" }).locator("tbody tr");
    await alert.getByText("delivered").waitFor();
    expect(await alert.count()).toBe(1);
    expect(await alert.innerText()).toMatch(/digits diverge[\s\S]*digits \/ regressed[\s\S]*10\.00\s%/);
    expect(await page.getByRole("region", { name: "Rules" }).innerText()).toContain("every candidate");
    await shoot("alerts");
  });

  test("ledger: the terms on the page add up to the total on the page", async () => {
    await page.goto("/deployments/digits/ledger");
    await page.getByText("balanced", { exact: true }).waitFor();
    const accounts = await page.locator("table.account").evaluateAll((tables) =>
      tables.map((table) => {
        const numbers = (selector: string) =>
          [...table.querySelectorAll(selector)].map((cell) => Number(cell.textContent!.replaceAll(",", "")));
        return {
          terms: numbers("tbody tr:not(.reason) > td:nth-child(2)"),
          total: numbers("tfoot td.number")[0],
        };
      }),
    );
    expect(accounts).toHaveLength(3);
    for (const { terms, total } of accounts) {
      expect(total).toBeGreaterThan(500);
      expect(terms.reduce((sum, n) => sum + n, 0)).toBe(total);
    }
    await shoot("ledger", 1_000);
    await choice(page, "Requests received").selectOption("last hour");
    await expect.poll(() => search(page)).toEqual({ span: "hour" });
    await page.getByText("balanced", { exact: true }).waitFor();
  });

  test("selections: one is named, sealed, and refused a second time", async () => {
    await page.goto("/selections");
    await page.getByText("No selection yet.").waitFor();
    const form = page.getByRole("form", { name: "New selection of digits" });
    const create = async () => {
      await form.getByLabel("Name").fill("first-hour");
      await form.getByLabel("Sample of").fill("200");
      await form.getByRole("button", { name: "Create" }).click();
    };
    await create();
    const row = page.getByRole("row", { name: /^first-hour/ });
    await row.waitFor();
    expect(await row.locator("td").first().innerText()).toBe("200");
    await row.getByRole("button", { name: "Seal first-hour" }).click();
    await row.getByText("sealed").waitFor();
    await shoot("selections");
    await create();
    await form.getByRole("alert").getByText("first-hour").waitFor();
    // The browser says so too when the control plane refuses something.
    expect(faults.splice(0)).toEqual([expect.stringContaining("409")]);
  });

  test("replays: one is started, paused, resumed and followed to its end, with how faithful it was", async () => {
    await page.goto("/replays");
    await page.getByText("No replay yet.").waitFor();
    const form = page.getByRole("form", { name: "New replay" });
    await choice(page, "To").selectOption("regressed");
    await choice(page, "Pace").selectOption("2 times as fast");
    await choice(page, "Selection").selectOption("first-hour");
    await form.getByRole("button", { name: "Start" }).click();
    await page.waitForURL(/\/replays\/\d+$/);
    const state = (word: string) => page.getByRole("heading", { level: 1 }).getByText(word).waitFor();
    await state("running");
    await page.getByRole("button", { name: "pause" }).click();
    await state("paused");
    await page.getByRole("button", { name: "resume" }).click();
    await page.getByRole("heading", { level: 1 }).getByText("done").waitFor({ timeout: 120_000 });
    expect(await page.getByRole("button", { name: "cancel" }).count()).toBe(0);
    await page.getByText("balanced", { exact: true }).waitFor();
    const figure = (name: string) => page.locator(".figure").filter({ hasText: name }).locator("dd").first();
    expect(await figure("ended").innerText()).toMatch(/^100/);
    expect(await figure("lag, p99").innerText()).toMatch(/ms$/);
    await shoot("replay");
    await page.goto("/replays");
    await page
      .getByRole("row", { name: /first-hour/ })
      .getByText("done")
      .waitFor();
  });

  test.each([
    ["/comparisons/nonsense", "There is no such comparison", "from a list of comparisons"],
    ["/deployments/digits/candidates/nobody", "nobody", ""],
    ["/deployments/nowhere/ledger", "nowhere", ""],
  ])("%s: says what is wrong", async (path, detail, hint) => {
    await page.goto(path);
    const alert = page.getByRole("alert").first();
    await alert.waitFor();
    expect(await alert.innerText()).toContain(detail);
    expect(await alert.innerText()).toContain(hint);
    // The browser reports what it asked in vain.
    expect(faults.splice(0).filter((fault) => !fault.includes("404 (Not Found)"))).toEqual([]);
  });

  test("a path that is no page says so; the first Tab leads past the frame", async () => {
    await page.goto("/nonsense");
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Skip to the content");
  });

  test("when the control plane goes, what was shown stays, and the page says so", async () => {
    await page.goto("/");
    await page.getByRole("row", { name: /^int8/ }).waitFor();
    await product.stop();
    await page.getByText("The control plane does not answer.").first().waitFor();
    expect(await page.getByRole("row", { name: /^int8/ }).isVisible()).toBe(true);
    expect(faults.splice(0).filter((fault) => !fault.includes("ERR_CONNECTION_REFUSED"))).toEqual([]);
  });
});
