import { Prisma } from "./generated/client.js";

const mark = "/* prepared */";

/**
 * Begins a statement whose text is always the same, and which runs for every work or segment: each connection parses it
 * once, and Postgres makes a plan for it that does for all values. To plan a lease anew takes longer than to run it.
 */
export const prepared = Prisma.raw(mark);

/** A statement more than these means that a text is not always the same; it is planned like any other. */
const statementsMax = 64;

/** Names statements that begin with {@link prepared}, by their text. */
export function createStatementNames(): (statement: { sql: string }) => string {
  const names = new Map<string, string>();
  return ({ sql }) => {
    // The driver takes an empty name for none.
    if (!sql.startsWith(mark)) return "";
    const known = names.get(sql);
    if (known !== undefined || names.size === statementsMax) return known ?? "";
    const name = `understudy-${names.size + 1}`;
    names.set(sql, name);
    return name;
  };
}
