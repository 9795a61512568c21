import type { Webhooks } from "../alerts/webhook.js";
import { messageOf, UnderstudyError } from "../errors.js";
import { newId } from "../ids.js";
import type { StoredGate } from "../store/gate-types.js";
import type { Alias, Promotion } from "../store/promotions.js";
import type { Store } from "../store/store.js";
import type { Upstream } from "../upstream/client.js";
import type { GateReport } from "./report.js";
import { lapseOf, standingOf, uncountable } from "./standing.js";
import { absenceOf, testedCandidate } from "./tested-candidate.js";

export interface PromotionRequest {
  deployment: string;
  candidate: string;
  alias: Alias;
  by: string;
}

/**
 * Gives a candidate an alias, if its newest gate allows it: passed, still about what is there now and answers, and approved if the
 * deployment asks for that. Whoever acts on it is told first, by the deployment's webhook; unless that answers 2xx, the
 * alias stays where it is.
 *
 * @throws UnderstudyError `not_found`; `conflict` that says why it is refused; `webhook_failed`
 */
export async function promote(
  {
    store,
    webhooks,
    upstream,
  }: {
    store: Pick<Store, "registry" | "gates" | "promotions">;
    webhooks: Webhooks;
    upstream: Pick<Upstream, "describe">;
  },
  { deployment: name, candidate: candidateName, alias, by }: PromotionRequest,
): Promise<Promotion> {
  const deployment = await store.registry.getDeployment(name);
  const candidate = await testedCandidate(store, name, candidateName);
  const gate = await store.gates.newestDone(candidate.id);
  if (gate === null) throw refused(candidate.name, "it has no gate");
  await requireGood(store, gate, deployment.gateApproval);
  const away = await absenceOf(upstream, candidate);
  if (away !== null) {
    throw refused(candidate.name, `it is not there to say what it is: ${away.message}`, [
      "Start it: what is promoted must be what the gate judged.",
    ]);
  }
  if (deployment.promoteUrl !== null) {
    await tell(webhooks, deployment.promoteUrl, { alias, by, gate });
  }
  return store.promotions.promote({ candidateId: candidate.id, gateId: gate.id, alias, by });
}

async function requireGood(
  store: Pick<Store, "gates">,
  gate: StoredGate,
  rule: Parameters<typeof lapseOf>[3],
): Promise<void> {
  if (gate.verdict !== "pass")
    throw refused(gate.candidate, `its newest gate, ${gate.id}, is ${gate.verdict}`);
  const standing = await standingOf(store, gate);
  if (standing === null || standing.changed.length > 0) {
    const what = standing?.changed.join(", ") ?? "report";
    throw refused(gate.candidate, `since gate ${gate.id} there is another: ${what}`);
  }
  if (standing.dropped !== null)
    throw refused(gate.candidate, `of gate ${gate.id} ${uncountable(standing.dropped)}`);
  if (rule === "none") return;
  const lapses = gate.approvals.map((approval) => lapseOf(approval, gate, standing, rule));
  if (lapses.includes(null)) return;
  const why = lapses.at(-1) ?? "there is none";
  throw refused(gate.candidate, `gate ${gate.id} lacks a valid approval: ${why}`, [
    `\`understudy gate approve ${gate.id} --by NAME --reason WHY\` gives one`,
    rule === "other" ? ", by another than its author." : ".",
  ]);
}

function refused(candidate: string, why: string, hint = ["Gate it, and promote it once the gate passes."]) {
  return new UnderstudyError("conflict", `${candidate} is not promoted: ${why}.`, { hint: hint.join("") });
}

async function tell(
  webhooks: Webhooks,
  url: string,
  news: {
    alias: Alias;
    by: string;
    gate: StoredGate;
  },
): Promise<void> {
  const { alias, by, gate } = news;
  const id = newId();
  // What was judged, whatever was registered meanwhile.
  const { url: endpointUrl, name: model, version, sha256 } = (gate.report as GateReport).model;
  const payload = {
    id,
    event: "promotion",
    deployment: gate.deployment,
    candidate: gate.candidate,
    alias,
    by,
    model: { url: endpointUrl, model, version, sha256 },
    gate: { id: gate.id, sha256: gate.sha256, verdict: gate.verdict },
  };
  try {
    await webhooks.post({ id, url, payload });
  } catch (error) {
    throw new UnderstudyError("webhook_failed", `The promotion's webhook failed: ${messageOf(error)}`, {
      hint: "The alias stays where it was. If the receiver is yours and private, add its host:port to UNDERSTUDY_WEBHOOK_ALLOW.",
      cause: error,
    });
  }
}
