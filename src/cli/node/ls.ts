import type { Command } from 'commander';
import { ageOf } from '../../resources/define-kind.ts';
import { isNodeHeld, isNodeLost } from '../../resources/failover.ts';
import { type Node, nodes, pods } from '../../resources/kinds.ts';
import { nodeConditions } from '../../resources/names.ts';
import { isPodFinished } from '../../resources/pod-facts.ts';
import { type OutputFlags, printList } from '../output.ts';
import { withSession } from '../session.ts';

export async function ls(flags: OutputFlags, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const { items } = await client.list(nodes);
    const running = (await client.list(pods)).items.filter((pod) => !isPodFinished(pod));
    const nowMs = Date.now();
    await printList(
      {
        items,
        name: (one) => one.metadata.name,
        empty: 'no nodes; on a host: flotilla agent --server URL --token "$(flotilla node token create)"',
        columns: [
          { title: 'NODE', value: (one) => one.metadata.name },
          { title: 'STATUS', value: nodeStatus },
          { title: 'ADDRESS', value: addressOf },
          { title: 'PODS', value: (one) => one.spec.podCIDRs?.join(' ') ?? '-' },
          {
            title: 'INSTANCES',
            value: (one) => running.filter((pod) => pod.spec.nodeName === one.metadata.name).length,
          },
          { title: 'CPU', value: (one) => one.status?.capacity?.cpu ?? '-' },
          { title: 'MEMORY', value: (one) => one.status?.capacity?.memory ?? '-' },
          { title: 'VERSION', value: (one) => one.status?.nodeInfo?.kubeletVersion ?? '-' },
          { title: 'ENGINE', isWide: true, value: (one) => one.status?.nodeInfo?.containerRuntimeVersion ?? '-' },
          { title: 'KERNEL', isWide: true, value: (one) => one.status?.nodeInfo?.kernelVersion ?? '-' },
          { title: 'AGE', value: (one) => ageOf(one.metadata.creationTimestamp, nowMs) },
        ],
      },
      flags,
    );
  });
}

/** `Ready`, `NotReady`, `Suspect`, `Doubted`, `Lost`; and `flapping`, `drained` when nothing may start on it. */
export function nodeStatus(node: Node): string {
  const words = [stateOf(node)];
  if (isNodeHeld(node)) words.push('flapping');
  if (node.spec.unschedulable) words.push('drained');
  return words.join(',');
}

function stateOf(node: Node): string {
  const statusOf = (type: string) => node.status?.conditions?.find((one) => one.type === type)?.status;
  if (isNodeLost(node)) return 'Lost';
  const suspect = statusOf(nodeConditions.suspect);
  if (suspect === 'True' || suspect === 'Unknown') return suspect === 'True' ? 'Suspect' : 'Doubted';
  return statusOf('Ready') === 'True' ? 'Ready' : 'NotReady';
}

export function addressOf(node: Node): string {
  return node.status?.addresses?.find((one) => one.type === 'InternalIP')?.address ?? '-';
}
