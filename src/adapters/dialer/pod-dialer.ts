import { FlotillaError } from '../../lib/errors.ts';
import { connectTcp } from './connect-tcp.ts';
import { createNamespaceDialers } from './namespace-dialers.ts';
import type { PodDialer, PodTarget } from './port.ts';

const connectTimeoutMs = 5_000;

/** Connections from this host; where that is refused, from inside the pod (`nsenter(1)`). */
export function createPodDialer(): PodDialer {
  const namespaces = createNamespaceDialers();
  return {
    dial: async (target, signal) => {
      const refusals: string[] = [];
      for (const host of hostsOf(target)) {
        try {
          return await connectTcp({ host, port: target.port, timeoutMs: connectTimeoutMs, signal });
        } catch (error) {
          refusals.push(wordsOf(error, host, target.port));
          if (codeOf(error) !== 'ECONNREFUSED') throw unavailable(refusals, error);
        }
      }
      if (target.address === undefined || target.pid === undefined) throw unavailable(refusals);
      try {
        const { containerId, pid, port } = target;
        return await namespaces.dial({ containerId, pid, port }, signal);
      } catch (error) {
        throw unavailable([...refusals, wordsOf(error, 'localhost', target.port, ' inside the pod')], error);
      }
    },
    stop: () => namespaces.stop(),
  };
}

function hostsOf({ address }: PodTarget): readonly string[] {
  return address === undefined ? ['127.0.0.1', '::1'] : [address];
}

function unavailable(refusals: readonly string[], cause?: unknown): FlotillaError {
  return new FlotillaError('Unavailable', `failed to connect to ${refusals.join(', ')}`, { cause });
}

function wordsOf(error: unknown, host: string, port: number, where = ''): string {
  const words = knownWords[codeOf(error) ?? ''] ?? (error instanceof Error ? error.message : String(error));
  return `${host.includes(':') ? `[${host}]` : host}:${port}${where}: ${words}`;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

const knownWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'no route to host',
};
