import { expect, test } from "vitest";
import { createRedactors } from "../../src/capture/redactors.js";
import { parseRedaction } from "../../src/redaction/settings.js";
import type { GatewayConfig } from "../../src/store/types.js";

const key = "a-redaction-key-of-forty-characters-or-so";
type Told = { subject?: string | null; tags?: string[] };

function configOf({ subject = null, tags = [] }: Told): GatewayConfig {
  const redaction = parseRedaction({ subject: subject === null ? null : { header: subject } });
  const capture = { targets: [], sequences: false, tags };
  return { deployments: [{ id: 1, redaction, capture }] } as unknown as GatewayConfig;
}

/** What is left of a request's headers after these settings were told, one after the other. */
function kept(...told: Told[]): string[] {
  const redactors = createRedactors({ key, bytesMax: 1_000 });
  for (const one of told) redactors.tell(configOf(one));
  const redactor = redactors.of(1);
  if (redactor === "unknown") throw new Error("it was told");
  const headers = ["x-user", "ada", "x-team", "blue"];
  if (redactor === null) return headers.filter((_, index) => index % 2 === 0);
  const body = new Uint8Array(0);
  const { request } = redactor.exchange({
    path: "/v2/models/m/infer",
    status: 200,
    request: { headers, body },
    response: { headers: [], body },
  });
  return request.headers.filter((_, index) => index % 2 === 0);
}

test.each<[string, Told[], string[]]>([
  ["no subject ever", [{}, {}], ["x-user", "x-team"]],
  ["the subject", [{ subject: "x-user" }], ["x-team"]],
  ["another since", [{ subject: "x-user" }, { subject: "x-team" }], []],
  ["none since", [{ subject: "x-user" }, {}, {}], ["x-team"]],
  ["a tag since", [{ subject: "x-user" }, { tags: ["x-user"] }], ["x-user", "x-team"]],
  [
    "a tag and the subject again",
    [{ subject: "x-user" }, { subject: "x-user", tags: ["x-user"] }],
    ["x-team"],
  ],
])("headers that were the subject's: %s", (_, told, left) => {
  expect(kept(...told)).toEqual(left);
});
