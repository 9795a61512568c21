import { type Alerts, createAlerts } from "./alerts.js";
import { type AnswerStore, createAnswerStore } from "./answers.js";
import { type Breakers, createBreakers } from "./breakers.js";
import { createCatalogue } from "./catalogue.js";
import { createPrisma, type PrismaOptions } from "./client.js";
import { type Comparisons, createComparisons } from "./comparisons.js";
import { createDeadWorks, type DeadWorks } from "./dead-works.js";
import { createErasing, type Erasing } from "./erasing.js";
import { createErasures, type Erasures } from "./erasures.js";
import type { Gates } from "./gate-types.js";
import { createGates } from "./gates.js";
import { createGauges, type Gauges } from "./gauges.js";
import type { Catalogue, LedgerReader, Outcomes, Registry, Rollups, WorkStore } from "./groups.js";
import { createLedgerReader } from "./ledger.js";
import { createLedgerChecks, type LedgerChecks } from "./ledger-checks.js";
import { createOutcomes } from "./outcomes.js";
import { ensurePartitions } from "./partitions.js";
import { createPromotions, type Promotions } from "./promotions.js";
import { createRecountReader, type RecountReader } from "./recount.js";
import { createRegistry } from "./registry.js";
import { createRejudges, type Rejudges } from "./rejudges.js";
import { createReplays, type Replays } from "./replays.js";
import { createRetentionStore, type RetentionStore } from "./retention.js";
import { createRollups } from "./rollups.js";
import { createSelections, type Selections } from "./selections.js";
import { createSignatures, type Signatures } from "./signatures.js";
import { createSwitches, type Switches } from "./switches.js";
import { createTrafficReader, type TrafficReader } from "./traffic.js";
import { createWorkStore } from "./work.js";

/** All that is kept in Postgres, by group of tables. */
export interface Store {
  registry: Registry;
  catalogue: Catalogue;
  work: WorkStore;
  deadWorks: DeadWorks;
  breakers: Breakers;
  outcomes: Outcomes;
  answers: AnswerStore;
  rejudges: Rejudges;
  replays: Replays;
  selections: Selections;
  rollups: Rollups;
  ledger: LedgerReader;
  ledgerChecks: LedgerChecks;
  recount: RecountReader;
  traffic: TrafficReader;
  switches: Switches;
  comparisons: Comparisons;
  signatures: Signatures;
  alerts: Alerts;
  gates: Gates;
  promotions: Promotions;
  gauges: Gauges;
  retention: RetentionStore;
  erasures: Erasures;
  /** What a worker does about them. */
  erasing: Erasing;
  /** Makes the partitions of the days to come that are missing; returns their names. */
  ensurePartitions(options: { daysAhead: number }): Promise<string[]>;
  close(): Promise<void>;
}

/**
 * Connects at the first query; a connection that fails shows in the call that needed it.
 *
 * @param options.poolMax connections held at most.
 */
export function createStore(databaseUrl: string, options: PrismaOptions = {}): Store {
  const prisma = createPrisma(databaseUrl, options);
  return {
    registry: createRegistry(prisma),
    catalogue: createCatalogue(prisma),
    work: createWorkStore(prisma),
    deadWorks: createDeadWorks(prisma),
    breakers: createBreakers(prisma),
    outcomes: createOutcomes(prisma),
    answers: createAnswerStore(prisma),
    rejudges: createRejudges(prisma),
    replays: createReplays(prisma),
    selections: createSelections(prisma),
    rollups: createRollups(prisma),
    ledger: createLedgerReader(prisma),
    ledgerChecks: createLedgerChecks(prisma),
    recount: createRecountReader(prisma),
    traffic: createTrafficReader(prisma),
    switches: createSwitches(prisma),
    comparisons: createComparisons(prisma),
    signatures: createSignatures(prisma),
    alerts: createAlerts(prisma),
    gates: createGates(prisma),
    promotions: createPromotions(prisma),
    gauges: createGauges(prisma),
    retention: createRetentionStore(prisma),
    erasures: createErasures(prisma),
    erasing: createErasing(prisma),
    ensurePartitions: (options) => ensurePartitions(prisma, options),
    close: () => prisma.$disconnect(),
  };
}
