import type { HttpClient } from '../../src/client/http-client.ts';
import { deployments, pods } from '../../src/resources/kinds.ts';
import type { Acknowledged } from './acknowledged.ts';
import { namespace, readBack } from './workload.ts';

/** What is not yet as it was asked for, a sentence each: empty when desired is observed. */
export async function unfinished(client: HttpClient): Promise<readonly string[]> {
  const [wanted, found] = await Promise.all([
    client.list(deployments, { namespace }),
    client.list(pods, { namespace }),
  ]);
  const sentences: string[] = [];
  for (const { metadata, spec, status } of wanted.items) {
    const replicas = spec.replicas ?? 1;
    if (status?.observedGeneration !== metadata.generation) sentences.push(`${metadata.name}: spec not observed`);
    if ((status?.readyReplicas ?? 0) !== replicas || (status?.updatedReplicas ?? 0) !== replicas)
      sentences.push(
        `${metadata.name}: ${replicas} wanted, ${status?.readyReplicas ?? 0} ready, ${status?.updatedReplicas ?? 0} updated`,
      );
    const own = found.items.filter((pod) => pod.metadata.labels?.app === metadata.name);
    if (own.length !== replicas) sentences.push(`${metadata.name}: ${replicas} wanted, ${own.length} pods`);
    for (const pod of own) {
      const isReady = pod.status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True');
      if (!isReady || pod.metadata.deletionTimestamp !== undefined)
        sentences.push(
          `pod ${pod.metadata.name} on ${pod.spec.nodeName ?? 'no node'} is ${pod.status?.phase}, not ready`,
        );
    }
  }
  return sentences;
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
