import { readFile } from 'node:fs/promises';
import { type Lease, leases } from '../../src/resources/kinds.ts';
import { machineOf } from '../e2e/host-state.ts';
import type { Target } from './inject.ts';

/** The lease of who leads, from whichever server answers. */
export async function readLease({ clients }: Pick<Target, 'clients'>): Promise<Lease> {
  return Promise.any(
    clients.map((client) =>
      client.forGrid('system').get(leases, { namespace: 'flotilla-system', name: 'flotilla-leader' }),
    ),
  );
}

/** The machine whose server leads. Throws while nobody can be asked, or nobody leads. */
export async function leaderOf(target: Target): Promise<string> {
  const id = (await readLease(target)).spec.holderIdentity?.split('-')[0];
  for (const name of target.servers) {
    const { directory } = await machineOf(target.lab, name);
    const own = await readFile(`${directory}/data/server.id`, 'utf8').catch(() => '');
    if (id && own.trim() === id) return name;
  }
  throw new Error('nobody leads');
}
