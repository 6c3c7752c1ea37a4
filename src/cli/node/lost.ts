import type { Command } from 'commander';
import { FlotillaError } from '../../lib/errors.ts';
import { formatTime } from '../../resources/conditions.ts';
import { isNodeLost, isNodeSuspect, isStateful } from '../../resources/failover.ts';
import { nodes, type Pod, pods } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { isPodFinished, isPodLost } from '../../resources/pod-facts.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';

/** Without `--confirm` it only tells what would be given up: where a volume is involved, its files are. */
export async function lost(name: string, flags: { readonly confirm?: boolean }, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const node = await client.get(nodes, { name });
    if (!isNodeLost(node) && !isNodeSuspect(node)) {
      throw new FlotillaError('Conflict', `node ${name} answers`, {
        hint: `to take what it runs elsewhere: flotilla node drain ${name}`,
      });
    }
    const own = (await client.list(pods, { fieldSelector: `spec.nodeName=${name}` })).items;
    const left = own.filter((pod) => !isPodFinished(pod) && !isPodLost(pod));
    if (!flags.confirm) {
      for (const pod of left)
        print(`would be given up: ${nameOf(pod)}${isStateful(pod) ? ', whose volume is there' : ''}`);
      throw new FlotillaError('BadUsage', `node ${name}: nothing was done`, {
        hint: `if it is really lost: flotilla node lost ${name} --confirm`,
      });
    }
    const body = { metadata: { annotations: { [annotations.lostConfirmed]: formatTime(Date.now()) } } };
    await client.patch(nodes, { name }, { type: 'merge', body });
    print(`${name} counts as lost; ${left.length} instances are given up with it`);
    const held = left.filter(isStateful);
    if (held.length > 0) {
      process.stderr.write(`wait for the volume they have on ${name}: ${held.map(nameOf).join(', ')}\n`);
    }
  });
}

function nameOf(pod: Pod): string {
  return `${pod.metadata.namespace}/${pod.metadata.name}`;
}
