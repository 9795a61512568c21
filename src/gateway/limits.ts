/** The data plane's limits, with their reasons. */

/** tritonclient keeps connections for long and does not expect them to be closed; load balancers give up at 60 s. */
export const clientKeepAliveMs = 75_000;
/** A client that has not sent its head by then is answered 408: a slowloris may not hold connections. */
export const clientHeadersMs = 30_000;
/** The same for the whole request: minutes for a large upload, not hours. */
export const clientRequestMs = 300_000;
/** How often connections are held against these two. */
export const clientCheckMs = 5_000;
/** A head beyond this is answered 431. */
export const headBytesMax = 64 * 1024;
export const clientConnectionsMax = 10_000;

export const primaryConnectMs = 5_000;
/** An inference may take minutes; the client knows best, and its going away ends the wait. */
export const primaryHeadersMs = 300_000;
/** Silence within an answer. */
export const primaryBodyMs = 300_000;

/**
 * A request body up to this size is received before the primary is asked: that costs no time, since it comes with the
 * head or right behind it, and makes one write of it. A larger one is passed on as it arrives.
 */
export const wholeBodyBytesMax = 64 * 1024;
