import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { onTestFinished } from "vitest";
import { newId } from "../../src/ids.js";
import type { NewAlertRule } from "../../src/store/alert-types.js";
import { closed, listening } from "../control/support.js";
import { addShadow, captureRow, leaseSegment, outcomeRow, type World } from "../store/support.js";

export interface Received {
  headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what came over the wire
  body: any;
}

/** A webhook receiver. `answer` says what it does with each message, counted from 1. */
export async function openReceiver(answer: (response: ServerResponse, count: number) => void) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      received.push({ headers: request.headers, body: JSON.parse(Buffer.concat(chunks).toString()) });
      answer(response, received.length);
    });
  });
  const url = await listening(server);
  onTestFinished(() => closed(server));
  return { url, host: new URL(url).host, received };
}

export const ok = (response: ServerResponse): void => void response.end("thanks");

/** Rules and judged traffic of one deployment with one candidate. */
export async function openAlerting(world: World) {
  const { deployment, candidate } = await addShadow(world);
  return {
    deployment,
    candidate,
    addRule: (over: Partial<NewAlertRule> = {}) =>
      world.store.alerts.createRule({
        name: "diverges",
        deploymentId: deployment.id,
        candidateId: null,
        threshold: 0.1,
        windowMs: 120_000,
        minSamples: 10,
        webhookUrl: null,
        enabled: true,
        ...over,
      }),
    /** Judges `matches` and `mismatches` captures at one moment. */
    judge: async (judgedAtMs: number, matches: number, mismatches: number) => {
      const captures = Array.from({ length: matches + mismatches }, (_, i) =>
        captureRow(i, { receivedAtMs: judgedAtMs, id: newId(judgedAtMs) }),
      );
      const { work } = await leaseSegment(world, deployment.id, captures);
      const rows = captures.map((capture, i) =>
        outcomeRow(capture, i < mismatches ? { result: "mismatch" } : {}),
      );
      await world.store.outcomes.commitWork({ workId: work.id, lease: work.lease, judgedAtMs, rows });
    },
    alerts: (state: "firing" | "resolved" | null = null) =>
      world.store.alerts.listAlerts({ deployment: deployment.name, state, before: null, limit: 100 }),
  };
}
