import type { UpstreamPool } from "../../src/http1/pool.js";
import type { UpstreamHandler, UpstreamRequest } from "../../src/http1/upstream-connection.js";

const get: UpstreamRequest = { method: "GET", target: "/", headers: [], body: "none" };

/** Sends a GET, or `request`. `ended`: the body of its answer, or the error. */
export function ask(
  pool: Pick<UpstreamPool, "dispatch">,
  request: UpstreamRequest = get,
): { ended: Promise<string | Error>; abort(): void } {
  let abort = () => {};
  const ended = new Promise<string | Error>((resolve) => {
    let body = "";
    const handler: UpstreamHandler = {
      onSent() {},
      onInterim() {},
      onHead() {},
      onBody(part) {
        body += part.toString("latin1");
        return true;
      },
      onEnd: () => resolve(body),
      onError: resolve,
      onDrain() {},
    };
    const call = pool.dispatch(request, handler);
    abort = () => call.abort();
  });
  return { ended, abort: () => abort() };
}
