import type { TargetRule } from "../capture/settings.js";
import type { DeploymentTally, Tally } from "../capture/tally.js";
import { recordedRequestHeaders } from "../http1/headers.js";
import type { Redaction } from "../redaction/settings.js";
import type { GatewayConfig } from "../store/types.js";
import type { Primaries, PrimaryGroup } from "./primaries.js";
import type { RouteStats } from "./stats.js";

/** How requests for one deployment are served, and whether they are captured. */
export interface DeploymentRoute {
  readonly primary: PrimaryGroup;
  readonly sampleRate: number;
  readonly captureEnabled: boolean;
  /** null: none, and nothing is spent on them. */
  readonly targets: readonly TargetRule[] | null;
  /** Whether its sequences are captured: then the capture side, which reads requests, must see every one. */
  readonly sequences: boolean;
  /** Names, lower case; null: none beside those of every deployment. */
  readonly tags: ReadonlySet<string> | null;
  readonly stats: RouteStats;
  /** null: there are more deployments than can be counted. */
  readonly account: { tally: Tally; deployment: DeploymentTally } | null;
}

/** What is known of where requests go. Replaced as a whole when the deployments change. */
export interface RouteTable {
  /** By the name that the model has at its primary, which is the name in the path. */
  readonly byModel: ReadonlyMap<string, DeploymentRoute>;
  /** For everything that no deployment names. */
  readonly fallback: PrimaryGroup | null;
}

export function buildRoutes(deps: {
  config: GatewayConfig;
  defaultPrimary: string | undefined;
  primaries: Primaries;
  tally: Tally;
  statsOf: (deployment: { id: number; name: string }) => RouteStats;
}): RouteTable {
  const { config, defaultPrimary, primaries, tally, statsOf } = deps;
  const byModel = new Map<string, DeploymentRoute>();
  const urls = new Set<string>();
  for (const { id, name, primary, sampleRate, captureEnabled, capture, redaction } of config.deployments) {
    // Two deployments of one model cannot be told apart by the path: the first registered has it.
    if (!isHttp(primary.url) || byModel.has(primary.model)) continue;
    const replicas = [primary.url, ...(primary.replicas ?? [])].filter(isHttp);
    for (const url of replicas) urls.add(url);
    const stats = statsOf({ id, name });
    const deployment = tally.open(id, stats.passed);
    byModel.set(primary.model, {
      primary: primaries.group(replicas),
      sampleRate,
      captureEnabled: captureEnabled && config.captureEnabled,
      targets: capture.targets.length === 0 ? null : capture.targets,
      sequences: capture.sequences,
      tags: ownTags([...capture.tags, ...subjectHeader(redaction)]),
      stats,
      account: deployment && { tally, deployment },
    });
  }
  // The first registered: what it passed through does not end when others are added.
  const [first] = byModel.values();
  if (defaultPrimary !== undefined) urls.add(defaultPrimary);
  primaries.keepOnly(urls);
  const fallback = defaultPrimary === undefined ? first?.primary : primaries.group([defaultPrimary]);
  return { byModel, fallback: fallback ?? null };
}

/** The capture side makes a hash of it, and keeps no more. */
function subjectHeader({ subject }: Redaction): string[] {
  return subject !== null && "header" in subject ? [subject.header] : [];
}

/** Names of headers that are recorded of this deployment's requests only; null: none. */
function ownTags(names: readonly string[]): ReadonlySet<string> | null {
  const own = names.filter((name) => !recordedRequestHeaders.has(name));
  return own.length === 0 ? null : new Set(own);
}

function isHttp(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}
