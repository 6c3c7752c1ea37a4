import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OpenAcme } from '../adapters/acme/port.ts';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import { createPinoLogger } from '../lib/pino-logger.ts';
import type { EtcdTls } from '../store/etcd.ts';
import type { Store } from '../store/port.ts';
import { type AssembledServer, assembleServer, type OpenStoreOptions } from './assemble.ts';
import type { EtcdChoice, ServerOptions } from './options.ts';

export type { ServerOptions } from './options.ts';

export interface RunningServer extends AssembledServer {
  /** Hands leadership over, ends watches cleanly, and has everything on disk when it resolves. */
  stop(): Promise<void>;
}

/** Resolves when the server answers. Throws FlotillaError when it cannot start; then nothing is left running. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const stops: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    const failures: unknown[] = [];
    for (const one of stops.splice(0).reverse()) {
      try {
        await one();
      } catch (error) {
        failures.push(error); // a part that cannot end well must not keep the others from it
      }
    }
    if (failures.length > 0) throw failures[0];
  };
  try {
    const log = options.log ?? createPinoLogger({ fields: { role: 'server' } });
    const version = options.version ?? (await packageVersion());
    const openStore = (parts: OpenStoreOptions) => openChosenStore(options.store, parts);
    const adapters = { openStore, loadAcme };
    return { ...(await assembleServer({ ...options, log, version }, adapters, stops)), stop };
  } catch (error) {
    await stop().catch(() => {}); // what went wrong first says more
    throw error;
  }
}

/** Runs until SIGTERM or SIGINT; a second one ends the process at once. */
export async function runServer(options: ServerOptions): Promise<void> {
  const server = await startServer(options);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve();
      });
    }
  });
  await server.stop();
}

/** Only a leader whose grid has an ACME server needs it. */
async function loadAcme(): Promise<OpenAcme> {
  return (await import('../adapters/acme/acme-client.ts')).openAcme;
}

/** Every server asks for it; what is compacted already costs nothing. */
const etcdCompactEveryMs = 300_000;

/** Only the store in use is loaded: the others would cost memory. */
async function openChosenStore(choice: ServerOptions['store'], options: OpenStoreOptions): Promise<Store> {
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
  const tls = await readStoreTls(choice);
  return await openEtcdStore({
    endpoints: choice.etcd,
    compactEveryMs: etcdCompactEveryMs,
    metrics,
    log,
    ...(tls ? { tls } : {}),
  });
}

async function readStoreTls({ caFile, certFile, keyFile }: EtcdChoice): Promise<EtcdTls | undefined> {
  const read = async (option: string, file: string | undefined) => {
    if (file === undefined) return undefined;
    try {
      return await readFile(file);
    } catch (cause) {
      throw new FlotillaError('BadFile', `${option} ${file}: ${messageOf(cause)}`, { cause });
    }
  };
  const [ca, cert, key] = await Promise.all([
    read('--store-ca', caFile),
    read('--store-cert', certFile),
    read('--store-key', keyFile),
  ]);
  return ca && { ca, ...(cert && key ? { cert, key } : {}) };
}

async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
