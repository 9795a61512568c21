import { type Aggregator, Counter, createMetrics, Gauge, type Registry } from "../metrics.js";
import type { CaptureLink } from "./capture-link.js";
import { registerDurations } from "./histogram.js";
import type { ServerState } from "./server.js";
import { endings, type RouteStats } from "./stats.js";

/** Everything is counted in plain memory, and put into Prometheus' form only when it is asked for. */
export function createGatewayMetrics(deps: {
  state: ServerState;
  link: CaptureLink;
  /** Of every deployment, and of the rest. */
  stats: () => Iterable<RouteStats>;
  nameOf: (deploymentId: number) => string;
  spoolBytesMax: number;
}): Registry {
  const { state, link, stats, nameOf, spoolBytesMax } = deps;
  const registry = createMetrics();
  const registers = [registry];

  const requests = new Counter({
    name: "understudy_gateway_requests_total",
    help:
      "Requests, by deployment (empty: none) and class of the status that the client was sent; " +
      "aborted: the client went away before its end, broken: the primary broke off in its midst.",
    labelNames: ["deployment", "code"],
    registers,
    collect() {
      requests.reset();
      for (const { deployment, ended } of stats()) {
        for (const [index, code] of endings.entries()) {
          if (ended[index]! > 0) requests.inc({ deployment, code }, ended[index]!);
        }
      }
    },
  });
  registerDurations(
    registry,
    "understudy_gateway_request_duration_seconds",
    "From a request's head to the end of its answer.",
    function* () {
      for (const { deployment, gateway } of stats()) yield [{ deployment }, gateway];
    },
  );
  registerDurations(
    registry,
    "understudy_gateway_primary_duration_seconds",
    "From the first byte sent to the primary to the last byte of its answer.",
    function* () {
      for (const { deployment, primary } of stats()) yield [{ deployment }, primary];
    },
  );

  /** @param aggregator what several processes that serve one port come to together */
  const gauge = (name: string, help: string, read: () => number, aggregator: Aggregator = "sum") => {
    const metric: Gauge = new Gauge({ name, help, registers, aggregator, collect: () => metric.set(read()) });
  };
  gauge(
    "understudy_gateway_requests_in_flight",
    "Requests that have no whole answer yet.",
    () => state.inFlight,
  );
  gauge("understudy_capture_up", "1 while the capture thread runs.", () => (link.up ? 1 : 0), "min");
  gauge(
    "understudy_capture_buffer_bytes",
    "Bytes on their way to the capture thread.",
    () => link.ring().usedBytes,
  );
  gauge("understudy_capture_buffer_limit_bytes", "Bytes that may be on their way.", () => link.ring().bytes);
  gauge(
    "understudy_capture_spool_bytes",
    "Bytes on disk that are not shipped yet.",
    () => link.stats.spoolBytes,
  );

  gauge("understudy_capture_spool_limit_bytes", "Bytes that the spool may take.", () => spoolBytesMax);
  gauge(
    "understudy_clock_offset_seconds",
    "This machine's wall clock minus Postgres' clock; 0 while it is not known.",
    () => link.stats.clockOffsetMs / 1000,
    "average",
  );
  const passed = new Counter({
    name: "understudy_gateway_body_bytes_total",
    help: "Bytes of bodies that went through, by deployment (empty: none) and direction: request, response.",
    labelNames: ["deployment", "direction"],
    registers,
    collect() {
      passed.reset();
      for (const { deployment, passed: bytes } of stats()) {
        passed.inc({ deployment, direction: "request" }, bytes[0]!);
        passed.inc({ deployment, direction: "response" }, bytes[1]!);
      }
    },
  });

  const busy = new Counter({
    name: "understudy_gateway_busy_total",
    help: "Requests answered 503, since too many waited for a connection to the primary, by deployment (empty: none).",
    labelNames: ["deployment"],
    registers,
    collect() {
      busy.reset();
      for (const { deployment, busy: count } of stats()) busy.inc({ deployment }, count);
    },
  });

  const outcomes = new Counter({
    name: "understudy_capture_outcomes_total",
    help: "Requests on the capture side, by what became of them: spooled, not_eligible, dropped.",
    labelNames: ["deployment", "outcome", "reason"],
    registers,
    collect() {
      outcomes.reset();
      for (const { deploymentId, reason, count } of link.tally.drops()) {
        outcomes.inc({ deployment: nameOf(deploymentId), outcome: "dropped", reason }, count);
      }
      for (const [id, { spooled, notEligible, dropped }] of link.stats.totals) {
        const deployment = nameOf(id);
        outcomes.inc({ deployment, outcome: "spooled", reason: "" }, spooled);
        for (const [reason, count] of Object.entries(notEligible)) {
          outcomes.inc({ deployment, outcome: "not_eligible", reason }, count);
        }
        for (const [reason, count] of Object.entries(dropped)) {
          outcomes.inc({ deployment, outcome: "dropped", reason }, count);
        }
      }
    },
  });
  return registry;
}
