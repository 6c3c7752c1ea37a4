// Runs inside a container's network namespace, started by namespace-dialers.ts: connects there and hands the sockets over. Ends with
// the channel to the agent.
import { connectTcp } from './connect-tcp.ts';

export interface DialQuestion {
  readonly id: number;
  readonly port: number;
}

/** With the socket beside it, or why there is none. */
export interface DialAnswer {
  readonly id: number;
  readonly error?: string;
  readonly code?: string;
}

const connectTimeoutMs = 5_000;

async function dialLocalhost(port: number) {
  try {
    return await connectTcp({ host: '127.0.0.1', port, timeoutMs: connectTimeoutMs });
  } catch (refused) {
    return await connectTcp({ host: '::1', port, timeoutMs: connectTimeoutMs }).catch(() => {
      throw refused;
    });
  }
}

process.on('message', ({ id, port }: DialQuestion) => {
  dialLocalhost(port).then(
    (socket) => process.send?.({ id } satisfies DialAnswer, socket),
    (error: NodeJS.ErrnoException) =>
      process.send?.({ id, error: error.message, ...(error.code ? { code: error.code } : {}) } satisfies DialAnswer),
  );
});
