import type { Call } from "../../protocol/call.js";
import type { Endpoint } from "../../upstream/endpoint.js";
import type { Observation } from "../../upstream/observation.js";

/** What a task's requests have in common with others of it. */
export interface Template {
  call: Call;
  headers: Readonly<Record<string, string>>;
}

/** To the thread. Chunks are small, and each is asked for: reading a large one would keep the thread from a deadline. */
export type ToThread =
  | {
      kind: "begin";
      task: number;
      endpoint: Endpoint;
      /** Tasks of one group share `inFlightMax`. */
      group: string;
      inFlightMax: number;
      timeoutMs: number;
      responseBytesMax: number;
      templates: Template[];
    }
  | {
      kind: "chunk";
      task: number;
      /** Place of its first request in the task. */
      from: number;
      /** On the monotonic clock, milliseconds. */
      atMs: Float64Array;
      template: Int32Array;
      /** Lengths of the bodies, which lie in `bytes` one after the other. */
      lengths: Int32Array;
      bytes: Uint8Array;
    }
  | { kind: "ready"; endpoint: Endpoint }
  | { kind: "halt"; task: number }
  | { kind: "end"; task: number };

/** From the thread, several at a time. */
export type FromThread =
  | { kind: "ready" }
  | { kind: "next"; task: number }
  | { kind: "sent"; task: number; place: number; observation: Observation; lateMs: number }
  | { kind: "unsent"; task: number; place: number; why: "late" | "halted" }
  | { kind: "failed"; task: number; place: number; message: string };
