import { join } from 'node:path';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Store } from '../store/port.ts';
import type { ServerOptions } from './options.ts';

export interface OpenStoreOptions {
  readonly dataDirectory: string;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** Only the store in use is loaded: the others would cost memory. */
export async function openStore(choice: ServerOptions['store'], options: OpenStoreOptions): Promise<Store> {
  const { dataDirectory, metrics, log } = options;
  if (choice === 'memory') {
    const { createMemoryStore } = await import('../store/memory.ts');
    return createMemoryStore();
  }
  if (choice === undefined || choice === 'sqlite') {
    const { openSqliteStore } = await import('../store/sqlite.ts');
    return await openSqliteStore({ path: join(dataDirectory, 'store.db'), metrics, log });
  }
  const { openEtcdStore } = await import('../store/etcd.ts');
  return await openEtcdStore({ endpoints: choice.etcd, metrics, log });
}
