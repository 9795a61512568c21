import type { ReactNode } from "react";
import type { Deployment } from "../../../../src/control/api.js";
import { bytes, ms, percent } from "../../format";
import { TableScroll } from "../../parts/page";
import { Name } from "../../parts/words";

type Rule = Deployment["capture"]["targets"][number];

/** Each setting of a deployment's captures, with what it means. */
export function CaptureTable({ deployment }: { deployment: Deployment }) {
  const { sampleRate, capture, keepAnswers, answersBytesPerDay } = deployment;
  const rows: [name: string, value: ReactNode, meaning: string][] = [
    [
      "base sample",
      percent(sampleRate),
      "share of requests that the coin captures; every rate is made of these alone",
    ],
    ["rules", <Rules key="rules" rules={capture.targets} />, "captures beside the sample, in no rate"],
    [
      "tags",
      <Names key="tags" names={capture.tags} />,
      "request headers kept beside traceparent and x-request-id",
    ],
    [
      "sequences",
      capture.sequences ? "captured whole, or not at all" : "not captured",
      "requests with a sequence_id; at most 1,024 steps and 8 MiB, 60 s between two steps",
    ],
    ["answers kept", keptText(keepAnswers), "of candidates, so that another policy can be tried on them"],
    [
      "answers' quota",
      `${bytes(answersBytesPerDay)} a day`,
      "beyond it the answers of further segments are not kept",
    ],
  ];
  return (
    <TableScroll label="Settings of captures">
      <table>
        <thead>
          <tr>
            <th>setting</th>
            <th>value</th>
            <th>meaning</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, value, meaning]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{value}</td>
              <td className="quiet">{meaning}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

function Names({ names }: { names: readonly string[] }) {
  if (names.length === 0) return "none";
  return names.map((name, i) => (
    <span key={name}>
      {i > 0 && ", "}
      <Name>{name}</Name>
    </span>
  ));
}

function Rules({ rules }: { rules: readonly Rule[] }) {
  if (rules.length === 0) return "none";
  return (
    <ul>
      {rules.map((rule) => (
        <li key={rule.name}>
          <Name>{rule.name}</Name>: <Name>{ruleText(rule)}</Name>
        </li>
      ))}
    </ul>
  );
}

function ruleText({ when, share }: Rule): string {
  const { status, slowerThanMs, header } = when;
  const parts = [
    status === undefined ? "" : status === "errors" ? "errors (4xx, 5xx)" : `status ${status.join(", ")}`,
    slowerThanMs === undefined ? "" : `slower than ${ms(slowerThanMs)}`,
    header === undefined ? "" : `${header.name} is ${header.equals}`,
  ];
  const wanted = parts.filter((part) => part !== "").join(" and ");
  return share === undefined || share === 1 ? wanted : `${percent(share, 0)} of those with ${wanted}`;
}

function keptText(kept: Deployment["keepAnswers"]): string {
  if (typeof kept === "number") return `${percent(kept, 0)} of them`;
  return kept === "divergent" ? "those that are no plain match" : kept;
}
