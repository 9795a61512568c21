import type { RequestHandler } from "express";
import { UnderstudyError } from "../errors.js";
import { gateHtml } from "../gate/html.js";
import type { GateReport } from "../gate/report.js";
import type { ControlContext } from "./context.js";
import { gateId } from "./routes/gates.js";

/** A gate's report as the page that the command line writes. It brings its own styles and runs nothing. */
export function gatePage({ store }: Pick<ControlContext, "store">): RequestHandler<{ gate: string }> {
  return async (request, response) => {
    const { id, report } = await store.gates.get(gateId(request.params.gate));
    if (report === null) throw new UnderstudyError("not_found", `Gate ${id} has no report`);
    response.set(
      "content-security-policy",
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    );
    response.type("html").send(gateHtml(report as GateReport));
  };
}
