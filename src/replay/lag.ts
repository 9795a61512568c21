/** Above this the load was another than the recorded one, and the latencies under it say nothing. */
export const lagP99MsMax = 50;
