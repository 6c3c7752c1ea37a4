import { connect } from 'node:net';

/** On which port a node answers for names, on its pod network; on its own address it refuses, which is an answer too. */
const port = 53;
const timeoutMs = 1_000;

/**
 * Whether a host is there: a TCP connection was accepted or refused. Silence, or a router that says it cannot find it, is
 * no answer. Takes a second at most.
 */
export function isReachable(address: string, signal: AbortSignal, at = port): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: at });
    const end = (answer: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(answer);
    };
    const onAbort = () => end(false);
    const timer = setTimeout(end, timeoutMs, false);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => end(true));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      end(error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET'),
    );
  });
}

/** All of them at once; addresses → whether something answered. */
export async function probeAddresses(
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<Readonly<Record<string, boolean>>> {
  const found = await Promise.all(
    addresses.map(async (address) => [address, await isReachable(address, signal)] as const),
  );
  return Object.fromEntries(found);
}
