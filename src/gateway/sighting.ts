import type { DropReason } from "../capture/capture.js";
import type { BodySlab, SeenExchange } from "../capture/record.js";
import type { TargetRule } from "../capture/settings.js";
import type { DeploymentTally, MinuteTally, Tally } from "../capture/tally.js";
import type { LentMemory } from "../http1/body-memory.js";
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
  /** Where the request's body, of so many bytes, is to be read to, for its capture to need no copy; null: anywhere. */
  bodyMemory(bytes: number): LentMemory | null;
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
  return new OpenSighting({
    tally,
    minute,
    budget,
    method: exchange.method,
    path: exchange.path,
    rawHeaders: exchange.rawHeaders,
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

/** What a sighting is made of; all but the head is known to the route. */
interface Sighted extends SightedHead {
  readonly tally: Tally;
  readonly minute: MinuteTally;
  readonly budget: CaptureBudget;
  readonly deploymentId: number;
  readonly sequence: number;
  readonly receivedAtMs: number;
  /** Names of request headers to be recorded beside the allow list; null: none. */
  readonly tags: ReadonlySet<string> | null;
  /** Where the capture side must see every request: what counts those that it does not. */
  readonly sequencesOf: DeploymentTally | null;
  /** Of an exchange outside the base sample, the rules that may still want it; null: it is in the base sample. */
  readonly rules: readonly TargetRule[] | null;
  readonly random: () => number;
}

/** A class, since one is made for every request that is captured. */
class OpenSighting implements Sighting {
  readonly #known: Sighted;
  readonly #openedMs: number;
  /** Why its bodies are no longer held, while it is open whether a rule wants it. */
  #missed: DropReason | null = null;
  #open = true;
  #requestHeaders: readonly string[] = none;
  #responseHeaders: readonly string[] = none;
  #requestChunks: Uint8Array[] = [];
  #responseChunks: Uint8Array[] = [];
  #requestBytes = 0;
  #responseBytes = 0;
  #status = 0;
  /** That the request's body is read into, until it was handed over or given back. */
  #slab: BodySlab | null = null;

  constructor(known: Sighted) {
    this.#known = known;
    this.#openedMs = known.rules === null ? 0 : performance.now();
  }

  bodyMemory(bytes: number): LentMemory | null {
    const { rules, budget, tally } = this.#known;
    // One that no rule may want is not worth a slab.
    if (!this.#open || rules !== null || bytes > budget.bodyBytesMax) return null;
    const slab = tally.slabFor(bytes);
    if (slab === null) return null;
    this.#slab = slab;
    return {
      bytes: slab.bytes,
      giveBack: () => {
        if (this.#slab !== null) slab.ring.giveSlabBack(slab.at);
        this.#slab = null;
      },
    };
  }

  request(headers: readonly string[], contentLength: number | null): void {
    const { tags, rawHeaders } = this.#known;
    this.#requestHeaders = tags === null ? headers : [...headers, ...pickHeaders(rawHeaders, tags)];
    this.#announce(contentLength);
  }

  requestChunk(chunk: Uint8Array): void {
    if (!this.#open || this.#missed !== null) return;
    this.#requestBytes += chunk.length;
    if (this.#hold(chunk.length, this.#requestBytes)) this.#requestChunks.push(chunk);
  }

  response(status: number, headers: readonly string[], contentLength: number | null): void {
    this.#status = status;
    this.#responseHeaders = headers;
    this.#announce(contentLength);
  }

  responseChunk(chunk: Uint8Array): void {
    if (!this.#open || this.#missed !== null) return;
    this.#responseBytes += chunk.length;
    if (this.#hold(chunk.length, this.#responseBytes)) this.#responseChunks.push(chunk);
  }

  handOver(primaryMs: number): void {
    if (!this.#open) return;
    const { tally, minute, rules, sequencesOf, random } = this.#known;
    let rule = "";
    if (rules !== null) {
      const matched = matchingRule(rules, { status: this.#status, tookMs: primaryMs }, random);
      if (this.#missed !== null || (matched === null && sequencesOf === null)) {
        this.#end();
        if (matched !== null) tally.dropped(minute, this.#missed!);
        else this.#leaveOut();
        return;
      }
      rule = matched?.name ?? "";
    }
    const slab = this.#slab;
    const seen: SeenExchange = {
      deploymentId: this.#known.deploymentId,
      sequence: this.#known.sequence,
      receivedAtMs: this.#known.receivedAtMs,
      primaryMs,
      status: this.#status,
      sample: rules === null ? "base" : rule === "" ? "left_out" : "targeted",
      rule,
      gaps: sequencesOf?.gaps ?? null,
      method: this.#known.method,
      path: withoutQuery(this.#known.path),
      requestHeaders: this.#requestHeaders,
      responseHeaders: this.#responseHeaders,
      requestChunks: this.#requestChunks,
      requestBytes: this.#requestBytes,
      responseChunks: this.#responseChunks,
      responseBytes: this.#responseBytes,
    };
    if (tally.handOver(minute, seen, slab)) this.#slab = null;
    this.#end();
  }

  drop(reason: DropReason): void {
    if (!this.#open) return;
    this.#end();
    const { tally, minute, rules, random } = this.#known;
    if (rules === null) {
      tally.dropped(minute, reason);
      return;
    }
    // A primary that failed is an error to the client, and to a rule; who left early got no status.
    const failed = reason === "primary_failed";
    const ending = { status: failed ? 502 : 0, tookMs: performance.now() - this.#openedMs };
    if (matchingRule(rules, ending, random) === null) this.#leaveOut();
    else tally.dropped(minute, reason);
  }

  #announce(contentLength: number | null): void {
    if (contentLength !== null && contentLength > this.#known.budget.bodyBytesMax) this.#giveUp("too_large");
  }

  #hold(bytes: number, bodyBytes: number): boolean {
    const { budget } = this.#known;
    budget.heldBytes += bytes;
    if (bodyBytes > budget.bodyBytesMax) this.#giveUp("too_large");
    else if (budget.heldBytes > budget.heldBytesMax) this.#giveUp("buffer_full");
    return this.#open && this.#missed === null;
  }

  /** Its bodies cannot be kept. Outside the base sample it is a loss only if a rule turns out to want it. */
  #giveUp(reason: DropReason): void {
    if (this.#known.rules === null) {
      this.drop(reason);
      return;
    }
    this.#release();
    this.#missed ??= reason;
  }

  #leaveOut(): void {
    const { tally, minute, sequencesOf } = this.#known;
    if (sequencesOf !== null) sequencesOf.gaps += 1;
    tally.sampledOut(minute);
  }

  #end(): void {
    this.#open = false;
    this.#release();
  }

  #release(): void {
    this.#known.budget.heldBytes -= this.#requestBytes + this.#responseBytes;
    this.#requestChunks = [];
    this.#responseChunks = [];
    this.#requestBytes = 0;
    this.#responseBytes = 0;
  }
}

const none: readonly string[] = [];

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
