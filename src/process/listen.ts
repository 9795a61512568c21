import type { AddressInfo, Server } from "node:net";
import { messageOf, UnderstudyError } from "../errors.js";

/** An address to listen on, and what names it to people. */
export interface Listening {
  host: string;
  /** 0: any free one. */
  port: number;
  /** Whose port it is: `gateway`. */
  what: string;
  /** The setting that chose the port. */
  setting: string;
}

const faults: Record<string, (of: Listening) => { why: string; hint: string }> = {
  EADDRINUSE: ({ setting }) => ({
    why: "is in use",
    hint: `Stop what listens there, or set ${setting} to another port (0: any free one).`,
  }),
  EACCES: ({ setting }) => ({
    why: "may not be opened by this user",
    hint: `Set ${setting} to a port above 1023.`,
  }),
  EADDRNOTAVAIL: () => ({
    why: "cannot be had: this machine has no such address",
    hint: "Set UNDERSTUDY_HOST to one of its own, for example 127.0.0.1 or 0.0.0.0.",
  }),
  ENOTFOUND: () => ({
    why: "cannot be had: the host's name is not known",
    hint: "Set UNDERSTUDY_HOST to an address of this machine, for example 127.0.0.1 or 0.0.0.0.",
  }),
};

/**
 * Listens. Returns the port.
 * @throws UnderstudyError `port_in_use` when the address cannot be had
 */
export async function listen(server: Server, of: Listening): Promise<number> {
  const { host, port, what } = of;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => {
        server.removeListener("error", reject);
        resolve();
      });
    });
  } catch (error) {
    const known = faults[(error as NodeJS.ErrnoException).code ?? ""]?.(of);
    const why = known?.why ?? `cannot be had: ${messageOf(error)}`;
    throw new UnderstudyError("port_in_use", `The ${what} port ${host}:${port} ${why}`, {
      hint: known?.hint ?? `Check UNDERSTUDY_HOST and ${of.setting}.`,
      cause: error,
    });
  }
  return (server.address() as AddressInfo).port;
}
