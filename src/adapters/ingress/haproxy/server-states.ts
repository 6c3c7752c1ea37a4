// What its health checks have found goes from a worker to the next one, which would take every server for up until its own fail.
import type { Logger } from '../../../lib/log.ts';
import { serverStates } from './frame.ts';
import type { Generations } from './generations.ts';
import type { Registry } from './registry.ts';
import type { RuntimeClient } from './runtime-client.ts';

/** Of a file that says nothing: the version of its form alone. */
export const noServerStates = '1\n';

type Sections = Pick<Registry, 'sections' | 'inForce'>;

/**
 * The file from which the next worker knows which servers are down, of what `show servers state` (management.txt, 9.3) prints of
 * the last one. Nothing else is in it: HAProxy would take maintenance and weights out of it, too, and those are for the configuration.
 * A section that is new has what others found that check the same.
 */
export function keptStates(printed: string, before: Sections, next: Sections): string {
  const rows = new Map<string, string>();
  const heirs = Map.groupBy(next.inForce, (name) =>
    before.inForce.has(name) ? undefined : next.sections.get(name)?.checks,
  );
  for (const line of printed.split('\n')) {
    const [id, section, ...rest] = line.trim().split(' ');
    const [, server, , state, admin] = rest;
    const isDown = state === '0' && admin === '0';
    if (id === undefined || section === undefined || server === undefined || !isDown) continue;
    const own = next.inForce.has(section) ? [section] : [];
    const checks = before.sections.get(section)?.checks;
    for (const name of [...own, ...(checks === undefined ? [] : (heirs.get(checks) ?? []))]) {
      // Of one that is not checked any more nobody would ever say that it is up again.
      const isChecked = next.sections.get(name)?.serverWords.includes('check') === true;
      if (isChecked) rows.set(`${name} ${server}`, [id, name, ...rest].join(' '));
    }
  }
  return [noServerStates, ...[...rows.values()].map((row) => `${row}\n`)].join('');
}

interface Hands {
  readonly client: RuntimeClient;
  readonly generations: Generations;
  readonly log: Logger;
}

/** To be called before `worker` makes room for the next one, which is better loaded without these than not at all. */
export async function keepStates(
  { client, generations, log }: Hands,
  worker: number | undefined,
  before: Registry,
  next: Registry,
): Promise<void> {
  if (worker === undefined) return;
  try {
    const printed = await client.ask(worker, 'show servers state');
    await generations.overwrite(next.generation, serverStates, keptStates(printed, before, next));
  } catch (error) {
    log.warn('what health checks have found is not passed on', { worker, error });
  }
}
