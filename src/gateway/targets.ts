import type { TargetRule } from "../capture/settings.js";

/**
 * The rules that an exchange outside the base sample may still match, by its request's headers alone; null: none, so
 * that nothing of it needs to be held.
 *
 * @param rawHeaders names and values in turn, as the client sent them
 */
export function rulesStillOpen(
  rules: readonly TargetRule[],
  rawHeaders: readonly string[],
): readonly TargetRule[] | null {
  const open = rules.filter(({ when: { header } }) => header === undefined || hasHeader(rawHeaders, header));
  return open.length === 0 ? null : open;
}

function hasHeader(raw: readonly string[], { name, equals }: { name: string; equals: string }): boolean {
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const candidate = raw[index]!;
    if (candidate.length === name.length && candidate.toLowerCase() === name && raw[index + 1] === equals)
      return true;
  }
  return false;
}

/** How an exchange ended. `status` 0: the client left before it had one. */
export interface Ending {
  status: number;
  /** What the primary took; where it gave no whole answer, how long the exchange went on. */
  tookMs: number;
}

/** The first of the rules that matches, and whose share takes this exchange; null: none. */
export function matchingRule(
  open: readonly TargetRule[],
  { status, tookMs }: Ending,
  random: () => number,
): TargetRule | null {
  for (const rule of open) {
    const { when, share } = rule;
    if (when.status !== undefined && !hasStatus(when.status, status)) continue;
    if (when.slowerThanMs !== undefined && !(tookMs > when.slowerThanMs)) continue;
    if (share === undefined || random() < share) return rule;
  }
  return null;
}

function hasStatus(wanted: "errors" | readonly number[], status: number): boolean {
  return wanted === "errors" ? status >= 400 : wanted.includes(status);
}
