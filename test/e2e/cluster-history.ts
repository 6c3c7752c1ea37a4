import { readContexts, selectContext } from '../../src/client/contexts.ts';
import { createHttpClient } from '../../src/client/http-client.ts';
import { keyOf, startInformer } from '../../src/client/informer.ts';
import type { Kind } from '../../src/resources/kind.ts';
import { type EndpointSlice, endpointSlices, type Node, nodes, type Pod, pods } from '../../src/resources/kinds.ts';
import type { ApiObject } from '../../src/resources/object.ts';
import { eventually, type TestLab } from './lab.ts';

/** Everything that happened to nodes, pods and endpoints since it was started, in order. */
export interface ClusterHistory {
  readonly nodes: ReadonlyMap<string, Node>;
  readonly pods: ReadonlyMap<string, Pod>;
  readonly endpointSlices: ReadonlyMap<string, EndpointSlice>;
  /** `Suspect=True h1`, `lost web-1`, `made web-2`, `gone web-2`, `withdrawn web-1`; with milliseconds since the epoch. */
  readonly happened: readonly { readonly what: string; readonly atMs: number }[];
  /** What happened since `fromMs` and fits. */
  since(fromMs: number, fits: RegExp): readonly string[];
  /** Resolves when what the server has now of nodes, pods and endpoints has been seen: a watch may have been cut off for a while. */
  caughtUp(): Promise<void>;
  stop(): Promise<void>;
}

export async function startHistory(lab: TestLab): Promise<ClusterHistory> {
  const context = selectContext(readContexts(lab.env.FLOTILLA_CONFIG ?? ''), undefined);
  const client = createHttpClient({
    servers: context.servers,
    caCertificate: context.caCertificate,
    token: context.token,
    grid: context.grid,
    userAgent: 'flotilla (test)',
  });
  const happened: { what: string; atMs: number }[] = [];
  const note = (what: string) => happened.push({ what, atMs: Date.now() });
  const follow = <T extends ApiObject>(kind: Kind<T>, onChange: (object: T | undefined, old: T | undefined) => void) =>
    startInformer<T>({ client, kind, maxBackoffMs: 200, onChange: (_key, object, old) => onChange(object, old) });
  const informers = {
    nodes: follow<Node>(nodes, (node, old) => {
      for (const { type, status } of node?.status?.conditions ?? []) {
        const before = old?.status?.conditions?.find((one) => one.type === type)?.status;
        if (before !== status) note(`${type.replace('flotilla.dev/', '')}=${status} ${node?.metadata.name}`);
      }
    }),
    pods: follow<Pod>(pods, (pod, old) => {
      const name = (pod ?? old)?.metadata.name;
      if (!old) note(`made ${name}`);
      if (!pod) note(`gone ${name}`);
      const isLost = (one: Pod | undefined) =>
        one?.status?.conditions?.some(({ type, status }) => type === 'flotilla.dev/NodeLost' && status === 'True');
      if (pod && !isLost(old) && isLost(pod)) note(`lost ${name}`);
      if (pod && isLost(old) && !isLost(pod)) note(`back ${name}`);
    }),
    slices: follow<EndpointSlice>(endpointSlices, (slice, old) => {
      const ready = (one: EndpointSlice | undefined) =>
        new Set((one?.endpoints ?? []).filter((each) => each.conditions?.ready).map((each) => each.targetRef?.name));
      for (const name of ready(old)) if (!ready(slice).has(name)) note(`withdrawn ${name}`);
      for (const name of ready(slice)) if (!ready(old).has(name)) note(`announced ${name}`);
    }),
  };
  await Promise.all([informers.nodes.synced, informers.pods.synced, informers.slices.synced]);
  const hasSeenAll = async () => {
    const seen = await Promise.all(
      [informers.nodes, informers.pods, informers.slices].map(async ({ store }, index) => {
        const { items } = await client.list<ApiObject>([nodes, pods, endpointSlices][index] as unknown as Kind);
        const revision = (object: ApiObject | undefined) => Number(object?.metadata.resourceVersion ?? 0);
        return items.every((item) => revision(store.get(keyOf(item))) >= revision(item));
      }),
    );
    return seen.every(Boolean);
  };
  return {
    nodes: informers.nodes.store,
    pods: informers.pods.store,
    endpointSlices: informers.slices.store,
    happened,
    since: (fromMs, fits) => happened.filter((one) => one.atMs >= fromMs && fits.test(one.what)).map((one) => one.what),
    caughtUp: async () => {
      await eventually('what is followed is the present', hasSeenAll);
    },
    stop: async () => {
      await Promise.all([informers.nodes.stop(), informers.pods.stop(), informers.slices.stop()]);
      client.close();
    },
  };
}

/** When containers of a host were started, by container id, as its Docker tells it. */
export async function startTimesOn(lab: TestLab, host: string): Promise<ReadonlyMap<string, string>> {
  const script =
    'docker ps -q --no-trunc --filter label=flotilla.dev/managed | xargs -r docker inspect -f "{{.Id}} {{.State.StartedAt}}"';
  const text = await lab.exec(host, ['sh', '-c', script]);
  const pairs = text.split('\n').filter((line) => line.includes(' '));
  return new Map(pairs.map((line): [string, string] => [line.split(' ')[0] ?? '', line.split(' ')[1] ?? '']));
}
