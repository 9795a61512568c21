import type { IncomingMessage } from "node:http";

/**
 * Calls `over` once no more of a request will come: it is complete, or its connection is gone. Node tells a request
 * whose answer has gone out nothing of the latter.
 */
export function whenOver(request: IncomingMessage, over: () => void): void {
  const { socket } = request;
  if (request.complete || socket.destroyed) {
    over();
    return;
  }
  const end = () => {
    request.off("end", end);
    socket.off("close", end);
    over();
  };
  request.once("end", end);
  socket.once("close", end);
}
