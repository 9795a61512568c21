import { UnderstudyError } from "../errors.js";
import type { Call } from "../protocol/call.js";
import type { Endpoint } from "./endpoint.js";

/**
 * Where a model of a V2 server answers: `/v2/models/NAME[/versions/VERSION]SUFFIX` below the endpoint's URL.
 * @throws UnderstudyError `invalid_request` when the URL is not of HTTP.
 */
export function addressOf(endpoint: Endpoint, suffix: string): { origin: string; path: string } {
  return modelAddressOf(endpoint, "v2", suffix);
}

/**
 * Where a model takes an inference: V2's calls as {@link addressOf} has it, `predict` under V1's path.
 * @throws UnderstudyError `invalid_request` when the URL is not of HTTP.
 */
export function callAddressOf(endpoint: Endpoint, call: Call): { origin: string; path: string } {
  return call === "predict"
    ? modelAddressOf(endpoint, "v1", ":predict")
    : modelAddressOf(endpoint, "v2", `/${call}`);
}

function modelAddressOf(endpoint: Endpoint, protocol: "v1" | "v2", rest: string) {
  const { origin, path } = baseOf(endpoint.url);
  const version = endpoint.version === null ? "" : `/versions/${encodeURIComponent(endpoint.version)}`;
  return {
    origin,
    path: `${path}/${protocol}/models/${encodeURIComponent(endpoint.model)}${version}${rest}`,
  };
}

/** Origin and path prefix of an endpoint's URL. */
export function baseOf(url: string): { origin: string; path: string } {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || (parsed.protocol !== "http:" && parsed.protocol !== "https:")) {
    throw new UnderstudyError("invalid_request", `${url} is not a URL of HTTP`, {
      hint: "Give the address of a V2 server, such as http://host:8000.",
    });
  }
  return { origin: parsed.origin, path: parsed.pathname.replace(/\/+$/, "") };
}
