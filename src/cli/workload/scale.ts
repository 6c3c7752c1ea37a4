import type { Command } from 'commander';
import { FlotillaError } from '../../lib/errors.ts';
import { deployments, stacks } from '../../resources/kinds.ts';
import { parseDurationMs } from '../durations.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { waitForStack } from '../stack/wait-for-stack.ts';
import { findScaleTarget } from './instances.ts';

const maxInstances = 10_000;
/** Of which version the instances are is another matter. */
const aboutVersions = ['RolledBack', 'Aborted', 'Paused', 'OutsideWindow'];

export async function scale(
  targets: readonly string[],
  flags: { readonly wait: boolean; readonly timeout: string },
  command: Command,
): Promise<void> {
  const wanted = targets.map(parseTarget);
  const timeoutMs = parseDurationMs(flags.timeout, '--timeout');
  await withSession(command, async ({ client }) => {
    const allStacks = (await client.list(stacks)).items;
    const allDeployments = (await client.list(deployments)).items;
    const found = wanted.map(({ target, instances }) => ({
      instances,
      ...findScaleTarget(allStacks, allDeployments, target),
    }));
    const changed = new Set<string>();
    for (const one of found) {
      if (one.type === 'stack') {
        const { namespace, name } = one.stack.metadata;
        const body = { spec: { services: { [one.service]: { instances: one.instances } } } };
        await client.patch(stacks, { namespace, name }, { type: 'merge', body });
        changed.add(`${namespace}/${name}`);
        print(`${name}/${one.service} scaled to ${one.instances}`);
      } else {
        const { namespace, name } = one.deployment.metadata;
        await client.patch(
          deployments,
          { namespace, name },
          { type: 'merge', body: { spec: { replicas: one.instances } }, subresource: 'scale' },
        );
        print(`default/${name} scaled to ${one.instances}`);
      }
    }
    if (!flags.wait) return;
    for (const key of changed) {
      const [namespace = '', name = ''] = key.split('/');
      await waitForStack({ client, namespace, name, timeoutMs, tolerated: aboutVersions });
    }
  });
}

function parseTarget(text: string): { target: string; instances: number } {
  const match = /^([^=]+)=(\d+)$/.exec(text);
  const instances = Number(match?.[2]);
  if (!match || instances > maxInstances) {
    throw new FlotillaError('BadUsage', `"${text}" is not SERVICE=INSTANCES (0 to ${maxInstances})`, {
      hint: 'flotilla scale shop/web=5',
    });
  }
  return { target: match[1] ?? '', instances };
}
