import { existsSync, statSync } from "node:fs";
import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { packageRoot, webRoot } from "../../src/paths.js";

const executablePath = "/usr/bin/chromium";

/** Whether there is a browser to test in. Without one these tests are left out, with a word; CI must have one. */
export function hasBrowser(): boolean {
  if (existsSync(executablePath)) return true;
  if (process.env.CI) throw new Error(`There is no ${executablePath}; in CI nothing is left out.`);
  process.stderr.write(`Left out: tests of the reviewer page, since there is no ${executablePath}\n`);
  return false;
}

export async function openBrowser(): Promise<Browser> {
  await assertPageIsFresh();
  return chromium.launch({
    executablePath,
    args: [
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
}

/** The control plane serves what was built: testing an older page than the one in web/ would prove nothing. */
async function assertPageIsFresh(): Promise<void> {
  const web = join(packageRoot, "web");
  const sources = await readdir(web, { recursive: true, withFileTypes: true });
  const newest = Math.max(
    ...sources
      .filter((entry) => entry.isFile())
      .map((file) => statSync(join(file.parentPath, file.name)).mtimeMs),
  );
  const built = join(webRoot, "index.html");
  if (existsSync(built) && statSync(built).mtimeMs >= newest) return;
  throw new Error("dist/web is older than web/: run `npx vite build web`");
}

/** A page, and all that went wrong on it so far: errors, violations of the content security policy, dialogs. */
export interface WatchedPage {
  page: Page;
  faults: string[];
}

export async function openPage(browser: Browser, origin: string): Promise<WatchedPage> {
  const page = await browser.newPage({
    baseURL: origin,
    viewport: { width: 1280, height: 860 },
    deviceScaleFactor: 1.5,
    colorScheme: "light",
    timezoneId: "Europe/Berlin",
    locale: "en-GB",
  });
  page.setDefaultTimeout(20_000);
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") {
      faults.push(`${message.type()}: ${message.text()} ${message.location().url}`);
    }
  });
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { page, faults };
}

/** Where screenshots go: into the docs only when they are wanted, since they differ with every run. */
export async function screenshotFolder(): Promise<string> {
  if (process.env.UNDERSTUDY_SCREENSHOTS === "1") return join(packageRoot, "docs/images");
  return mkdtemp(join(tmpdir(), "understudy-screenshots-"));
}
