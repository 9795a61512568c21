import { imbalanceText } from "../alerts/imbalance-text.js";
import type { LedgerCheck as StoredCheck } from "../store/ledger-checks.js";
import type { LedgerCheck } from "./api.js";

export function ledgerCheckView(check: StoredCheck | null): LedgerCheck | null {
  if (check === null) return null;
  const { atMs, imbalances, inARow } = check;
  return {
    at: atMs,
    balanced: imbalances.length === 0,
    inARow,
    imbalances: imbalances.map((imbalance) => ({ ...imbalance, text: imbalanceText(imbalance) })),
  };
}
