import { isIP } from "node:net";
import type { Request, RequestHandler } from "express";
import { UnderstudyError } from "../errors.js";

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Refuses changes that another site's page asks for. Browsers say where a request comes from and pages cannot forge
 * it; programs send neither header and pass.
 */
export const refuseCrossSite: RequestHandler = (request, _response, next) => {
  if (safeMethods.has(request.method) || isSameOrigin(request)) {
    next();
    return;
  }
  throw new UnderstudyError("cross_site", "A page of another site asked for this change, so it was refused", {
    hint: "Send it from the reviewer page, the command line, or a program.",
  });
};

function isSameOrigin(request: Request): boolean {
  const site = request.headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") return false;
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** A form can post text and form data across sites, but not JSON. */
export const requireJson: RequestHandler = (request, _response, next) => {
  if (safeMethods.has(request.method) || !hasBody(request) || request.is("application/json")) {
    next();
    return;
  }
  throw new UnderstudyError("invalid_request", "The body must be JSON", {
    hint: "Send it with Content-Type: application/json.",
  });
};

function hasBody({ headers }: Request): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/**
 * Bound to a loopback address, answers only requests that name one: a name of someone else's that resolves to
 * 127.0.0.1 (DNS rebinding) would otherwise be the same origin to a browser.
 */
export function requireLoopbackHost(boundTo: string): RequestHandler {
  const guarded = isLoopbackName(boundTo);
  return (request, _response, next) => {
    if (!guarded || isLoopbackName(hostnameOf(request.headers.host))) {
      next();
      return;
    }
    throw new UnderstudyError("cross_site", "The Host header does not name this machine", {
      hint: "Use http://127.0.0.1 or http://localhost, or bind to another address with UNDERSTUDY_HOST.",
    });
  };
}

function hostnameOf(host: string | undefined): string {
  const url = `http://${host ?? ""}`;
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, "") : "";
}

function isLoopbackName(name: string): boolean {
  if (name === "localhost" || name.endsWith(".localhost") || name === "::1") return true;
  return isIP(name) === 4 && name.startsWith("127.");
}
