import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export const hostile = {
  output: "<script>window.pwned = 1</script>",
  /** A right-to-left override that makes `txt.exe` read as `exe.txt`. */
  value: "invoice\u202etxt.exe",
  /** The same as the page must show it. */
  shownValue: "invoice\\u202etxt.exe",
  long: "x".repeat(600),
  version: "<img src=x onerror=window.pwned=1>",
};

/**
 * A V2 server whose models' outputs are named and filled by an attacker: `/primary` and `/candidate` differ in every
 * way that the page has to show; `/broken` answers every inference with 500.
 */
export async function startHostileModel(): Promise<{ url: string; close(): Promise<void> }> {
  const tensor = (name: string, datatype: string, data: unknown[]) => ({
    name,
    datatype,
    shape: [data.length],
    data,
  });
  const outputs = (candidate: boolean) => [
    tensor(hostile.output, "BYTES", [candidate ? hostile.value : "invoice", "same"]),
    tensor(hostile.long, "FP64", [1, candidate ? 2 : 1]),
    ...(candidate ? [] : [tensor("lacking", "INT64", [7])]),
  ];
  const server = createServer((request, response) => {
    const url = request.url ?? "";
    const model = /\/models\/([^/]+)/.exec(url)?.[1] ?? "none";
    const answer = url.endsWith("/infer")
      ? { model_name: model, model_version: hostile.version, outputs: outputs(url.startsWith("/candidate")) }
      : { name: model, versions: ["1"], platform: "", inputs: [], outputs: [] };
    request.resume();
    request.on("end", () => {
      if (url.startsWith("/broken") && url.endsWith("/infer")) response.statusCode = 500;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
