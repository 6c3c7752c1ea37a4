import type { Command } from 'commander';
import { ageOf } from '../../resources/define-kind.ts';
import { pods } from '../../resources/kinds.ts';
import { type OutputFlags, printList } from '../output.ts';
import { withSession } from '../session.ts';
import { instanceOf, portsOf, readyOf, restartsOf, sortInstances, statusOf } from './instances.ts';

export async function ps(stack: string | undefined, flags: OutputFlags, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const listed = (await client.list(pods)).items.map(instanceOf);
    const items = sortInstances(listed.filter((one) => stack === undefined || one.stack === stack));
    const nowMs = Date.now();
    await printList(
      {
        items,
        objects: items.map((one) => one.pod),
        name: (one) => one.pod.metadata.name,
        empty:
          stack === undefined
            ? 'nothing runs here; deploy something: flotilla deploy -f compose.yaml'
            : `no instances of stack ${stack}`,
        columns: [
          { title: 'STACK', value: (one) => one.stack },
          { title: 'SERVICE', value: (one) => one.service },
          { title: 'INSTANCE', value: (one) => one.pod.metadata.name },
          { title: 'NODE', value: (one) => one.pod.spec.nodeName ?? '-' },
          { title: 'STATUS', value: (one) => statusOf(one.pod) },
          { title: 'READY', value: (one) => readyOf(one.pod) },
          { title: 'RESTARTS', value: (one) => restartsOf(one.pod) },
          { title: 'ADDRESS', value: (one) => one.pod.status?.podIP ?? '-' },
          { title: 'IMAGE', isWide: true, value: (one) => one.pod.spec.containers[0]?.image ?? '-' },
          { title: 'PORTS', value: (one) => portsOf(one.pod) || '-' },
          { title: 'AGE', value: (one) => ageOf(one.pod.metadata.creationTimestamp, nowMs) },
        ],
      },
      flags,
    );
  });
}
