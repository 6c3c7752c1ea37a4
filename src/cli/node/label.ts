import type { Command } from 'commander';
import { FlotillaError } from '../../lib/errors.ts';
import { nodes } from '../../resources/kinds.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';

export async function label(name: string, changes: readonly string[], command: Command): Promise<void> {
  const labels = parseLabels(changes);
  await withSession(command, async ({ client }) => {
    const node = await client.patch(nodes, { name }, { type: 'merge', body: { metadata: { labels } } });
    const all = Object.entries(node.metadata.labels ?? {}).map(([key, value]) => `${key}=${value}`);
    print(`${name}: ${all.sort().join(', ')}`);
  });
}

/** `k=v` puts, `k-` takes away; null: away. */
export function parseLabels(changes: readonly string[]): Readonly<Record<string, string | null>> {
  const labels: Record<string, string | null> = {};
  for (const change of changes) {
    const at = change.indexOf('=');
    const key = at >= 0 ? change.slice(0, at) : change.endsWith('-') ? change.slice(0, -1) : '';
    if (key === '' || key in labels) {
      const why = key === '' ? `"${change}" is neither KEY=VALUE nor KEY-` : `label "${key}" is there twice`;
      throw new FlotillaError('BadUsage', why, { hint: 'flotilla node label h1 zone=a ingress-only-' });
    }
    labels[key] = at >= 0 ? change.slice(at + 1) : null;
  }
  return labels;
}
