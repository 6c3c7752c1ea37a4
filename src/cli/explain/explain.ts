import type { Command } from 'commander';
import type { HttpClient } from '../../client/http-client.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { defaultFailoverAfterMs, type FailoverAfter, parseFailoverAfter } from '../../resources/failover.ts';
import { type Event, events, grids, type Node, nodes, type Pod, pods } from '../../resources/kinds.ts';
import { systemGrid } from '../../resources/names.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { instanceOf } from '../workload/instances.ts';
import { explainNode } from './explain-node.ts';
import { explainPod } from './explain-pod.ts';

export async function explain(target: string, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const [allNodes, allPods] = await Promise.all([client.list(nodes), client.list(pods)]);
    const found = findTarget(allNodes.items, allPods.items, target);
    const ofGrid = await failoverOfGrid(client);
    const nowMs = Date.now();
    if (found.type === 'node') {
      const { node } = found;
      const own = allPods.items.filter((pod) => pod.spec.nodeName === node.metadata.name);
      const told = await eventsOf(client, 'default', node.metadata.name);
      for (const line of explainNode({ node, pods: own, ofGrid, nowMs })) print(line);
      return printEvents(told);
    }
    const { pod } = found;
    const owner = pod.metadata.ownerReferences?.find((one) => one.controller);
    const siblings = allPods.items.filter(
      (one) => owner !== undefined && one.metadata.ownerReferences?.some(({ uid }) => uid === owner.uid),
    );
    const node = allNodes.items.find((one) => one.metadata.name === pod.spec.nodeName);
    const told = await eventsOf(client, pod.metadata.namespace ?? 'default', pod.metadata.name);
    for (const line of explainPod({ pod, node, siblings, ofGrid, nowMs })) print(line);
    printEvents(told);
  });
}

export type Found = { readonly type: 'node'; readonly node: Node } | { readonly type: 'pod'; readonly pod: Pod };

/** `node/h1`, `pod/web-1`, `shop/web-1` (of a stack or a namespace) or a bare name. Throws NotFound, BadUsage. */
export function findTarget(allNodes: readonly Node[], allPods: readonly Pod[], target: string): Found {
  const slash = target.indexOf('/');
  const prefix = slash < 0 ? '' : target.slice(0, slash);
  const name = target.slice(slash + 1);
  const isNodes = ['', 'node', 'nodes', 'no'].includes(prefix);
  const isPods = ['', 'pod', 'pods', 'po'].includes(prefix);
  const isIn = (pod: Pod) => pod.metadata.namespace === prefix || instanceOf(pod).stack === prefix;
  const inPods = isPods || !isNodes ? allPods.filter((pod) => pod.metadata.name === name && (isPods || isIn(pod))) : [];
  const found: Found[] = [
    ...(isNodes ? allNodes : [])
      .filter((node) => node.metadata.name === name)
      .map((node) => ({ type: 'node' as const, node })),
    ...inPods.map((pod) => ({ type: 'pod' as const, pod })),
  ];
  const [first, second] = found;
  if (!first) {
    throw new FlotillaError('NotFound', `there is no node and no instance "${target}"`, {
      hint: 'flotilla node ls and flotilla ps show what there is',
    });
  }
  if (!second) return first;
  const names = found.map((one) =>
    one.type === 'node' ? `node/${name}` : `${one.pod.metadata.namespace}/${one.pod.metadata.name}`,
  );
  throw new FlotillaError('BadUsage', `"${target}" is ambiguous`, { hint: `say which: ${names.join(', ')}` });
}

async function failoverOfGrid(client: HttpClient): Promise<FailoverAfter> {
  const { items } = await client.forGrid(systemGrid).list(grids);
  const own = items.find((one) => one.metadata.name === client.grid);
  return parseFailoverAfter(own?.spec?.failover?.after ?? '') ?? defaultFailoverAfterMs;
}

const eventsShown = 10;

async function eventsOf(client: HttpClient, namespace: string, name: string): Promise<readonly Event[]> {
  const { items } = await client.list(events, { namespace, fieldSelector: `involvedObject.name=${name}` });
  return [...items].sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1)).slice(-eventsShown);
}

function printEvents(told: readonly Event[]): void {
  if (told.length === 0) return;
  print('');
  print('what was told lately:');
  for (const event of told) print(`  ${timeOf(event)}  ${event.reason ?? ''}: ${event.message ?? ''}`);
}

function timeOf(event: Event): string {
  return event.lastTimestamp ?? event.metadata.creationTimestamp ?? '';
}
