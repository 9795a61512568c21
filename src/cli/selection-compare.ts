import { Command } from "commander";
import { createApiClient } from "../api-client.js";
import { loadConfig } from "../config.js";
import type { SelectionComparison } from "../control/api.js";
import { countText, msText, percentText } from "../gate/numbers.js";
import { table } from "./table.js";

/** `understudy selection compare`: candidates beside each other, on the requests that all of them answered. */
export function selectionCompareCommand(): Command {
  return new Command("compare")
    .description(
      "hold candidates against each other on the members of a sealed selection that all of them answered",
    )
    .argument("<deployment>", "name of the deployment")
    .argument("<name>", "name of the selection")
    .option("--json", "print the comparison as JSON")
    .addHelpText(
      "after",
      "\nA candidate is in it once the selection was replayed to it, by `understudy gate` or `understudy replay` with --selection.",
    )
    .action(async (deployment: string, name: string, { json }: { json?: boolean }) => {
      const api = createApiClient(loadConfig().controlUrl);
      const path = `/deployments/${encodeURIComponent(deployment)}/selections/${encodeURIComponent(name)}/comparison`;
      const found = await api.get<SelectionComparison>(path);
      process.stdout.write(json ? `${JSON.stringify(found)}\n` : comparisonText(found));
    });
}

function comparisonText(found: SelectionComparison): string {
  const { selection, deployment, members, common, candidates, outdated, beyond } = found;
  const headings = ["candidate", "answered", "failed", "diff rate", "flip rate", "p50", "p99"];
  const rows = candidates.map((one) => [
    one.candidate,
    one.answered,
    one.failed,
    percentText(one.diffRate),
    percentText(one.decisionFlipRate),
    msText(one.p50Ms),
    msText(one.p99Ms),
  ]);
  const lines = [
    `selection ${selection} of ${deployment}: of ${countText(members)} members ${countText(common)} were answered by all of ${countText(candidates.length)} candidates`,
    ...(candidates.length === 0
      ? [
          `next: understudy replay ${deployment} --candidate NAME --selection ${selection} --pace max, for each candidate`,
        ]
      : [table(headings, rows), "rates and latencies are those of the common members"]),
    ...(outdated.length === 0
      ? []
      : [`left out, being of another revision or policy: ${outdated.join(", ")}; replay it to them again`]),
    ...(beyond.length === 0 ? [] : [`left out, being too many to compare at a time: ${beyond.join(", ")}`]),
  ];
  return `${lines.join("\n")}\n`;
}
