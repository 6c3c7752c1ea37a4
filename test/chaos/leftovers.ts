// What may grow without anybody seeing it: the memory of our programs, and keys of the store that no object is.
import { readFile } from 'node:fs/promises';
import { processesIn } from '../../src/lab/processes.ts';
import { machineOf } from '../e2e/host-state.ts';
import type { TestLab } from '../e2e/lab.ts';

/** Proportional share in MB of each of our programs, `s1 server` → 104. */
export async function memoryOf(lab: TestLab, machines: readonly string[]): Promise<Readonly<Record<string, number>>> {
  const found: Record<string, number> = {};
  for (const name of machines) {
    const { namespace } = await machineOf(lab, name);
    for (const { pid } of await processesIn(namespace)) {
      const argv = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const program = /\0(server|agent)\0--data\0/.exec(argv)?.[1];
      if (program === undefined) continue;
      const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
      const kilobytes = Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0);
      if (kilobytes > 0) found[`${name} ${program}`] = Math.round(kilobytes / 1024);
    }
  }
  return found;
}

export interface StoreKeys {
  readonly objects: number;
  /** Of single commits; each ends with its lease. */
  readonly receipts: number;
  /** Receipts without a lease, and keys that are neither. */
  readonly strange: readonly string[];
}

/** What a member of etcd holds, asked over its JSON gateway. */
export async function storeKeys(lab: TestLab, server: string): Promise<StoreKeys> {
  const { address } = await machineOf(lab, server);
  const all = Buffer.of(0).toString('base64');
  const response = await fetch(`http://${address}:2379/v3/kv/range`, {
    method: 'POST',
    body: JSON.stringify({ key: all, range_end: all, keys_only: true }),
    signal: AbortSignal.timeout(20_000),
  });
  const { kvs = [] } = (await response.json()) as { kvs?: { key: string; lease?: string }[] };
  const keys = kvs.map(({ key, lease = '0' }) => ({ key: Buffer.from(key, 'base64').toString('latin1'), lease }));
  const isReceipt = (key: string) => key.startsWith('/flotilla#');
  const isObject = (key: string) => key.startsWith('/flotilla/');
  return {
    objects: keys.filter(({ key }) => isObject(key)).length,
    receipts: keys.filter(({ key }) => isReceipt(key)).length,
    strange: keys
      .filter(({ key, lease }) => (isReceipt(key) ? lease === '0' : !isObject(key)))
      .map(({ key, lease }) => `${key} (lease ${lease})`),
  };
}
