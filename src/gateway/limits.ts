import { contiguousBytesMax } from "../http1/body-memory.js";

/** The data plane's limits that are no settings; the others are in `Config.gateway`, with their reasons in the docs. */

/**
 * A client that waits for `100 Continue` is told so after this time, though the primary has not said it: not every
 * server does.
 */
export const continueMs = 1_000;

/**
 * A request body up to this size is received before the primary is asked: that costs no time, since it comes with the
 * head or right behind it, and makes one write of it. A larger one is passed on as it arrives.
 */
export const wholeBodyBytesMax = contiguousBytesMax;

/** What may have come of a body that is passed on as it arrives before there is a connection to pass it to. */
export const earlyBytesMax = 1024 ** 2;
