import type { Command } from 'commander';
import { messageOf } from '../../lib/errors.ts';
import { parseLostTimes } from '../../resources/flapping.ts';
import { isIngressNode } from '../../resources/ingress-node.ts';
import { nodes, pods } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { print, printObject, renderTable } from '../output.ts';
import { withSession } from '../session.ts';
import { instanceOf, readyOf, sortInstances, statusOf } from '../workload/instances.ts';
import { askNetwork } from './ask-network.ts';
import { addressOf, nodeStatus } from './ls.ts';
import { printNetwork } from './show-network.ts';

export async function show(name: string, flags: { readonly output?: string }, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const node = await client.get(nodes, { name });
    if (flags.output) return printObject(node, flags.output);
    const { nodeInfo, capacity, allocatable, conditions } = node.status ?? {};
    print(`node       ${name}`);
    print(`status     ${nodeStatus(node)}`);
    print(`address    ${addressOf(node)}`);
    print(`pods       ${node.spec.podCIDRs?.join(' ') ?? 'no addresses yet'}`);
    print(`capacity   ${capacity?.cpu ?? '-'} cpu, ${capacity?.memory ?? '-'} memory, ${capacity?.pods ?? '-'} pods`);
    print(`for pods   ${allocatable?.cpu ?? '-'} cpu, ${allocatable?.memory ?? '-'} memory`);
    print(
      `system     ${nodeInfo?.osImage ?? '-'}, kernel ${nodeInfo?.kernelVersion ?? '-'}, ${nodeInfo?.containerRuntimeVersion ?? '-'}`,
    );
    print(`agent      ${nodeInfo?.kubeletVersion ?? '-'}`);
    if (isIngressNode(node)) print('ingress    its proxy lets traffic in: flotilla ingress ls');
    for (const taint of node.spec.taints ?? []) print(`taint      ${taint.key}=${taint.value ?? ''}:${taint.effect}`);
    const losses = parseLostTimes(node.metadata.annotations?.[annotations.lostTimes]).length;
    if (losses > 0)
      print(`lost       ${losses === 1 ? 'once' : `${losses} times`} lately; why: flotilla explain node/${name}`);
    print('');
    print(
      renderTable(
        ['CONDITION', 'STATUS', 'REASON', 'MESSAGE'],
        (conditions ?? []).map((one) => [one.type, one.status, one.reason ?? '', one.message ?? '']),
      ),
    );
    const report = await askNetwork(client, name).catch(messageOf);
    print('');
    if (typeof report === 'string') print(`network    its agent cannot be asked: ${report}`);
    else printNetwork(report);
    const own = sortInstances(
      (await client.list(pods, { fieldSelector: `spec.nodeName=${name}` })).items.map(instanceOf),
    );
    if (own.length === 0) return;
    print('');
    print(
      renderTable(
        ['STACK', 'SERVICE', 'INSTANCE', 'STATUS', 'READY'],
        own.map((one) => [one.stack, one.service, one.pod.metadata.name, statusOf(one.pod), readyOf(one.pod)]),
      ),
    );
  });
}
