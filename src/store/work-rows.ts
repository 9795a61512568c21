import { Prisma } from "./generated/client.js";

/** How many captures a work `w` means. */
export const rowsOf = Prisma.sql`CASE WHEN w.row_list IS NULL THEN w.rows ELSE cardinality(w.row_list) END`;
