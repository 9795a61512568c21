import type { DropReason } from "../capture/capture.js";
import type { TargetRule } from "../capture/settings.js";
import type { DeploymentTally, MinuteTally, Tally } from "../capture/tally.js";
import type { DeploymentRoute } from "./routes.js";
import { matchingRule, rulesStillOpen } from "./targets.js";

/** Memory that all bodies under way may take together; what goes beyond is not captured. */
export interface CaptureBudget {
  readonly bodyBytesMax: number;
  readonly heldBytesMax: number;
  heldBytes: number;
}

/**
 * What the capture side will be told of one exchange: bodies by reference, as they pass. It never delays them, and it
 * ends in exactly one of: handed over, dropped for one reason, or, outside the base sample, sampled out because no rule
 * wanted it.
 */
export interface Sighting {
  /** @param contentLength of the request; null when it is not said beforehand */
  request(headers: readonly string[], contentLength: number | null): void;
  requestChunk(chunk: Uint8Array): void;
  response(status: number, headers: readonly string[], contentLength: number | null): void;
  responseChunk(chunk: Uint8Array): void;
  handOver(primaryMs: number): void;
  drop(reason: DropReason): void;
}

/** Counts the request in its deployment's account. null: it is not sampled, and nothing more is to be told. */
export function sight(
  route: DeploymentRoute,
  exchange: SightedHead,
  budget: CaptureBudget,
  random: () => number,
): Sighting | null {
  if (route.account === null) return null;
  const { tally, deployment } = route.account;
  const receivedAtMs = tally.nowMs();
  const sequence = tally.sequence;
  const minute = tally.receive(deployment, receivedAtMs);
  if (!route.captureEnabled) {
    tally.dropped(minute, "capture_off");
    return null;
  }
  // The one coin: it alone decides the base sample. Rules are looked at only where it says no.
  const base = random() < route.sampleRate;
  let rules = base || route.targets === null ? null : rulesStillOpen(route.targets, exchange.rawHeaders);
  // Which sequence a request is of is for the capture side to read, and with it whether it is sampled.
  if (!base && rules === null && route.sequences) rules = noRules;
  if (!base && rules === null) {
    tally.sampledOut(minute);
    return null;
  }
  return openSighting({
    tally,
    minute,
    budget,
    ...exchange,
    deploymentId: deployment.deploymentId,
    sequence,
    receivedAtMs,
    tags: route.tags,
    sequencesOf: route.sequences ? deployment : null,
    rules,
    random,
  });
}

const noRules: readonly TargetRule[] = [];

/** What is known of a request when it is sighted. `rawHeaders`: names and values in turn, as the client sent them. */
export interface SightedHead {
  method: string;
  path: string;
  rawHeaders: readonly string[];
}

function openSighting(known: {
  tally: Tally;
  minute: MinuteTally;
  budget: CaptureBudget;
  method: string;
  path: string;
  rawHeaders: readonly string[];
  deploymentId: number;
  sequence: number;
  receivedAtMs: number;
  /** Names of request headers to be recorded beside the allow list; null: none. */
  tags: ReadonlySet<string> | null;
  /** Where the capture side must see every request: what counts those that it does not. */
  sequencesOf: DeploymentTally | null;
  /** Of an exchange outside the base sample, the rules that may still want it; null: it is in the base sample. */
  rules: readonly TargetRule[] | null;
  random: () => number;
}): Sighting {
  const { tally, minute, budget, method, path, deploymentId, sequence, receivedAtMs, rules } = known;
  const openedMs = rules === null ? 0 : performance.now();
  /** Why its bodies are no longer held, while it is open whether a rule wants it. */
  let missed: DropReason | null = null;
  let open = true;
  let requestHeaders: readonly string[] = [];
  let responseHeaders: readonly string[] = [];
  let requestChunks: Uint8Array[] = [];
  let responseChunks: Uint8Array[] = [];
  let requestBytes = 0;
  let responseBytes = 0;
  let status = 0;

  function release(): void {
    budget.heldBytes -= requestBytes + responseBytes;
    requestChunks = [];
    responseChunks = [];
    requestBytes = 0;
    responseBytes = 0;
  }

  function end(): void {
    open = false;
    release();
  }

  function drop(reason: DropReason): void {
    if (!open) return;
    end();
    if (rules === null) {
      tally.dropped(minute, reason);
      return;
    }
    // A primary that failed is an error to the client, and to a rule; who left early got no status.
    const failed = reason === "primary_failed";
    const ending = { status: failed ? 502 : 0, tookMs: performance.now() - openedMs };
    if (matchingRule(rules, ending, known.random) === null) leaveOut();
    else tally.dropped(minute, reason);
  }

  function leaveOut(): void {
    if (known.sequencesOf !== null) known.sequencesOf.gaps += 1;
    tally.sampledOut(minute);
  }

  /** Its bodies cannot be kept. Outside the base sample it is a loss only if a rule turns out to want it. */
  function giveUp(reason: DropReason): void {
    if (rules === null) {
      drop(reason);
      return;
    }
    release();
    missed ??= reason;
  }

  function hold(bytes: number, bodyBytes: number): boolean {
    budget.heldBytes += bytes;
    if (bodyBytes > budget.bodyBytesMax) giveUp("too_large");
    else if (budget.heldBytes > budget.heldBytesMax) giveUp("buffer_full");
    return open && missed === null;
  }

  return {
    drop,

    request(headers, contentLength) {
      requestHeaders =
        known.tags === null ? headers : [...headers, ...pickHeaders(known.rawHeaders, known.tags)];
      if (contentLength !== null && contentLength > budget.bodyBytesMax) giveUp("too_large");
    },

    requestChunk(chunk) {
      if (!open || missed !== null) return;
      requestBytes += chunk.length;
      if (hold(chunk.length, requestBytes)) requestChunks.push(chunk);
    },

    response(code, headers, contentLength) {
      status = code;
      responseHeaders = headers;
      if (contentLength !== null && contentLength > budget.bodyBytesMax) giveUp("too_large");
    },

    responseChunk(chunk) {
      if (!open || missed !== null) return;
      responseBytes += chunk.length;
      if (hold(chunk.length, responseBytes)) responseChunks.push(chunk);
    },

    handOver(primaryMs) {
      if (!open) return;
      let rule = "";
      if (rules !== null) {
        const matched = matchingRule(rules, { status, tookMs: primaryMs }, known.random);
        if (missed !== null || (matched === null && known.sequencesOf === null)) {
          end();
          if (matched !== null) tally.dropped(minute, missed!);
          else leaveOut();
          return;
        }
        rule = matched?.name ?? "";
      }
      tally.handOver(minute, {
        deploymentId,
        sequence,
        receivedAtMs,
        primaryMs,
        status,
        sample: rules === null ? "base" : rule === "" ? "left_out" : "targeted",
        rule,
        gaps: known.sequencesOf?.gaps ?? null,
        method,
        path: withoutQuery(path),
        requestHeaders,
        responseHeaders,
        requestChunks,
        requestBytes,
        responseChunks,
        responseBytes,
      });
      end();
    },
  };
}

/** No protocol that is captured has one, so what clients put there is theirs: tokens, as often as not. */
function withoutQuery(target: string): string {
  const at = target.indexOf("?");
  return at < 0 ? target : target.slice(0, at);
}

/** Names in lower case, and values, in turn. */
function pickHeaders(raw: readonly string[], names: ReadonlySet<string>): string[] {
  const picked: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]!.toLowerCase();
    if (names.has(name)) picked.push(name, raw[index + 1]!);
  }
  return picked;
}
