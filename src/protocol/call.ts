/** An inference that a path asks for: V2's three, and `:predict` of KServe's V1. */
export type Call = "infer" | "generate" | "generate_stream" | "predict";

/** What a request's target says. */
export interface Target {
  /** The model, if it names one. */
  model: string | null;
  /** null: whatever it wants, it is no inference. */
  call: Call | null;
}

const modelsV1 = "/v1/models/";
const modelsV2 = "/v2/models/";
const restV1 = /^(?:\/versions\/[^/]+)?:predict$/;
const restV2 = /^(?:\/versions\/[^/]+)?\/(infer|generate|generate_stream)$/;
const nowhere: Target = { model: null, call: null };

/** @param target path and query, as received */
export function readTarget(method: string, target: string): Target {
  const isV2 = target.startsWith(modelsV2);
  if (!isV2 && !target.startsWith(modelsV1)) return nowhere;
  const queryAt = target.indexOf("?");
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  const nameAt = modelsV2.length;
  const slashAt = path.indexOf("/", nameAt);
  const segmentEnd = slashAt < 0 ? path.length : slashAt;
  // V1's verb follows the name, or the version, behind a colon.
  const colonAt = isV2 ? -1 : path.lastIndexOf(":", segmentEnd - 1);
  const nameEnd = colonAt > nameAt ? colonAt : segmentEnd;
  const name = path.slice(nameAt, nameEnd);
  const call = method === "POST" && nameEnd > nameAt ? callIn(isV2, path.slice(nameEnd)) : null;
  return { model: name.includes("%") ? decoded(name) : name, call };
}

/** What a captured request asked for. */
export function callOf(path: string): Call {
  return readTarget("POST", path).call ?? "infer";
}

function callIn(isV2: boolean, rest: string): Call | null {
  if (rest === "/infer") return isV2 ? "infer" : null;
  if (!isV2) return restV1.test(rest) ? "predict" : null;
  return (restV2.exec(rest)?.[1] as Call | undefined) ?? null;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
