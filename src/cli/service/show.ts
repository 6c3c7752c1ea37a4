import type { Command } from 'commander';
import { pods, replicaSets } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { matchesSelector } from '../../resources/selectors.ts';
import { describeStrategy } from '../../stack/describe-diff.ts';
import { print, printObject, renderTable } from '../output.ts';
import { withSession } from '../session.ts';
import { readyOf, statusOf } from '../workload/instances.ts';
import { findService } from './find-service.ts';
import { rolloutState } from './rollout.ts';

export async function show(target: string, flags: { readonly output?: string }, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const { name, deployment } = await findService(client, target);
    if (flags.output) return printObject(deployment, flags.output);
    const { namespace, uid, annotations: own } = deployment.metadata;
    const [instances, sets] = await Promise.all([
      client.list(pods, { namespace }),
      client.list(replicaSets, { namespace }),
    ]);
    print(`service    ${name}`);
    print(`image      ${deployment.spec.template.spec?.containers[0]?.image ?? '-'}`);
    print(`revision   ${own?.[annotations.deploymentRevision] ?? '-'}`);
    print(`updates    ${describeStrategy(deployment)}`);
    print(`status     ${rolloutState(deployment).message.replaceAll('\n', '\n           ')}`);
    print('');
    const revisions = new Map(
      sets.items
        .filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.uid === uid))
        .map(({ metadata }) => [metadata.uid ?? '', metadata.annotations?.[annotations.deploymentRevision] ?? '-']),
    );
    const rows = instances.items
      .filter((pod) => matchesSelector(deployment.spec.selector, pod.metadata.labels))
      .map((pod) => {
        const owner = pod.metadata.ownerReferences?.find((one) => one.controller)?.uid ?? '';
        return [pod.metadata.name, revisions.get(owner) ?? '-', pod.spec.nodeName ?? '-', statusOf(pod), readyOf(pod)];
      });
    print(renderTable(['INSTANCE', 'REVISION', 'NODE', 'STATUS', 'READY'], rows));
  });
}
