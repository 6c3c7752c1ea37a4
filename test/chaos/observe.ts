import { setTimeout as delay } from 'node:timers/promises';
import type { HttpClient } from '../../src/client/http-client.ts';
import { pods } from '../../src/resources/kinds.ts';
import type { Random } from './random.ts';

/** Watches over what must hold at every moment, not only at the end. */
export interface Observer {
  readonly violations: string[];
  stop(): Promise<void>;
}

/** A pod that was bound is bound to that node for ever. */
export function startObserver(clients: readonly HttpClient[], random: Random): Observer {
  const nodeOf = new Map<string, string>();
  const violations: string[] = [];
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      try {
        for (const pod of (await random.pick(clients).list(pods)).items) {
          const { uid = '', name } = pod.metadata;
          const { nodeName } = pod.spec;
          const before = nodeOf.get(uid);
          if (before !== undefined && before !== nodeName)
            violations.push(`pod ${name} was on ${before} and is on ${String(nodeName)}`);
          if (nodeName) nodeOf.set(uid, nodeName);
        }
      } catch {
        // a server that cannot be asked now
      }
      await delay(200, undefined, { signal: stopping.signal }).catch(() => {});
    }
  })();
  return {
    violations,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
