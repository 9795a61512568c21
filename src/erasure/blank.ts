import type { StoredCapture } from "../capture/segment.js";

const nothing = new Uint8Array(0);

/**
 * What stays of an erased capture in its segment: its row, so that the others keep their places, with its id, its time
 * and what the account needs. An empty method marks it.
 */
export function blank(capture: StoredCapture): StoredCapture {
  return {
    ...capture,
    method: "",
    path: "",
    requestHeaders: {},
    requestBody: nothing,
    status: 0,
    responseHeaders: {},
    responseBody: nothing,
    sequencePlace: null,
    tags: {},
    redacted: [],
    subject: null,
    requestBodySha256: null,
    responseBodySha256: null,
  };
}

/** Whether nothing of a capture's contents is in its row. */
export function isBlank({ method, path, requestBody, responseBody, tags, ...row }: StoredCapture): boolean {
  const headers = { ...row.requestHeaders, ...row.responseHeaders, ...tags };
  const bodies = requestBody.length + responseBody.length;
  const elsewhere = row.requestBodySha256 ?? row.responseBodySha256 ?? row.subject;
  return method + path === "" && bodies + Object.keys(headers).length === 0 && elsewhere === null;
}
