import type { Client } from '../../client/client.ts';
import { startInformer } from '../../client/informer.ts';
import { backoffMs } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { type Node, nodes } from '../../resources/kinds.ts';
import type { NodeKeys } from './node-keys.ts';

export interface NodeRevocationOptions {
  readonly grids: readonly string[];
  readonly clientFor: (grid: string) => Client;
  readonly nodeKeys: Pick<NodeKeys, 'revoke'>;
  /** Ends what the node has open to this server. */
  readonly drop: (grid: string, nodeName: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const attempts = 8;

/**
 * A Node object that is deleted takes its key with it: an agent that still lives must not make itself a node again. Every
 * server does so, and for itself ends the node's connections.
 */
export function startNodeRevocation(options: NodeRevocationOptions): { stop(): Promise<void> } {
  const { clock, log } = options;
  const abort = new AbortController();
  const revoke = async (grid: string, node: Node) => {
    const { name, creationTimestamp = '' } = node.metadata;
    for (let attempt = 1; !abort.signal.aborted; attempt++) {
      try {
        if (await options.nodeKeys.revoke(grid, name, Date.parse(creationTimestamp))) {
          options.drop(grid, name);
          log.info('a node was removed, its key no longer counts', { grid, node: name });
        }
        return;
      } catch (error) {
        if (attempt >= attempts)
          return log.error('the key of a removed node could not be revoked', { grid, node: name, error });
        await clock.sleep(backoffMs(attempt, { initialMs: 200, maxMs: 5_000 }), abort.signal).catch(() => {});
      }
    }
  };
  const informers = options.grids.map((grid) =>
    startInformer<Node>({
      client: options.clientFor(grid),
      kind: nodes,
      clock,
      log,
      onDelete: (node) => void revoke(grid, node),
    }),
  );
  return {
    stop: async () => {
      abort.abort(new Error('the server stops'));
      await Promise.all(informers.map((one) => one.stop()));
    },
  };
}
