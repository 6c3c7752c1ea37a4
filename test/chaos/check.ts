import type { HttpClient } from '../../src/client/http-client.ts';
import { isNodeHeld } from '../../src/resources/failover.ts';
import {
  type Deployment,
  deployments,
  nodes as nodeKind,
  type Pod,
  pods,
  replicaSets,
  stacks,
} from '../../src/resources/kinds.ts';
import { isPodLost } from '../../src/resources/pod-facts.ts';
import { matchesSelector } from '../../src/resources/selectors.ts';
import type { Acknowledged } from './acknowledged.ts';
import { readBack } from './workload.ts';
import { namespace } from './workload-objects.ts';

/** What is not yet as it was asked for, a sentence each: empty when desired is observed. */
export async function unfinished(client: HttpClient): Promise<readonly string[]> {
  const [wanted, found, sets, files, nodes] = await Promise.all([
    client.list(deployments, { namespace }),
    client.list(pods, { namespace }),
    client.list(replicaSets, { namespace }),
    client.list(stacks, { namespace }),
    client.list(nodeKind),
  ]);
  // A node that was lost often is held back longer than the calm lasts: until then others run what it has.
  const held = new Set(nodes.items.filter(isNodeHeld).map(({ metadata }) => metadata.name));
  const counted = found.items.filter((pod) => !(isPodLost(pod) && held.has(pod.spec.nodeName ?? '')));
  const sentences = wanted.items.flatMap((one) => unfinishedDeployment(one, counted));
  for (const { metadata, status } of files.items) {
    const available = status?.conditions?.find((one) => one.type === 'Available');
    if (status?.observedGeneration !== metadata.generation || available?.status !== 'True')
      sentences.push(`stack ${metadata.name}: ${available?.message ?? 'not observed'}`);
  }
  const owners = new Set([...wanted.items, ...sets.items].map(({ metadata }) => metadata.uid));
  for (const { kind, metadata } of [...sets.items, ...found.items]) {
    const owner = metadata.ownerReferences?.find((one) => one.controller);
    if (!owner || !owners.has(owner.uid)) sentences.push(`${kind} ${metadata.name} has lost its owner`);
  }
  return sentences;
}

function unfinishedDeployment({ metadata, spec, status }: Deployment, found: readonly Pod[]): string[] {
  const sentences: string[] = [];
  const replicas = spec.replicas ?? 1;
  const { readyReplicas = 0, updatedReplicas = 0 } = status ?? {};
  if (metadata.deletionTimestamp !== undefined) sentences.push(`${metadata.name}: still being deleted`);
  if (status?.observedGeneration !== metadata.generation) sentences.push(`${metadata.name}: spec not observed`);
  if (readyReplicas !== replicas || updatedReplicas !== replicas)
    sentences.push(`${metadata.name}: ${replicas} wanted, ${readyReplicas} ready, ${updatedReplicas} updated`);
  const own = found.filter((pod) => matchesSelector(spec.selector, pod.metadata.labels));
  if (own.length !== replicas) sentences.push(`${metadata.name}: ${replicas} wanted, ${own.length} pods`);
  for (const pod of own) {
    if (isReady(pod) && pod.metadata.deletionTimestamp === undefined) continue;
    const waiting = pod.status?.conditions?.find((one) => one.type === 'PodScheduled' && one.status === 'False');
    const why = waiting?.message ?? pod.status?.containerStatuses?.[0]?.state?.waiting?.message ?? '';
    sentences.push(
      `pod ${pod.metadata.name} on ${pod.spec.nodeName ?? 'no node'} is ${pod.status?.phase}, not ready ${why}`,
    );
  }
  return sentences;
}

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;
}

/** Whatever was acknowledged is there. */
export async function lost(client: HttpClient, history: Acknowledged): Promise<readonly string[]> {
  const sentences: string[] = [];
  for (const key of history.keys()) {
    const complaint = history.complaint(key, await readBack(client, key));
    if (complaint !== undefined) sentences.push(complaint);
  }
  return sentences;
}

/** Pods whose deletion was acknowledged, and that are there all the same. */
export async function undeleted(client: HttpClient, deleted: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const { items } = await client.list(pods, { namespace });
  return items
    .filter(({ metadata }) => deleted.has(metadata.uid ?? ''))
    .map(({ metadata }) => `pod ${metadata.name} was deleted and is there`);
}
