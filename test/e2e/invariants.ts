// What must be true of a calm lab: pods in the API and labelled containers on the hosts correspond one to one, and nothing
// else of Flotilla's is left on any host.
import type { ContainerObservation } from '../../src/adapters/runtime/port.ts';
import { pauseName } from '../../src/agent/pod/pause.ts';
import { readContexts, selectContext } from '../../src/client/contexts.ts';
import { createHttpClient, type HttpClient } from '../../src/client/http-client.ts';
import { type Pod, pods as podKind, type Volume, volumes as volumeKind } from '../../src/resources/kinds.ts';
import { hostLabels } from '../../src/resources/names.ts';
import { podContainers } from '../../src/resources/pod-containers.ts';
import { type HostState, observeHost } from './host-state.ts';
import { eventually, type TestLab } from './lab.ts';

/** A client of the lab's servers, as its administrator. Close it. */
export function clientOf(lab: TestLab): HttpClient {
  const context = selectContext(readContexts(lab.env.FLOTILLA_CONFIG ?? ''), undefined);
  return createHttpClient({
    ...{ servers: context.servers, caCertificate: context.caCertificate, token: context.token, grid: context.grid },
    ...{ userAgent: 'flotilla-test', timeoutMs: 10_000 },
  });
}

/** What is not one to one now, a sentence each. Throws when a host or the API cannot be asked. */
export async function oneToOneViolations(lab: TestLab, hosts: readonly string[]): Promise<readonly string[]> {
  const client = clientOf(lab);
  try {
    // The hosts first: what the API then no longer knows was gone from its host before.
    const states = await Promise.all(hosts.map((host) => observeHost(lab, host)));
    const [pods, volumes] = await Promise.all([client.list(podKind), client.list(volumeKind)]);
    return states.flatMap((state) => hostViolations(state, pods.items, volumes.items));
  } finally {
    client.close();
  }
}

/** Waits until nothing is wrong; throws with what still is. Default deadline 30 s. */
export async function assertOneToOne(lab: TestLab, hosts: readonly string[], timeoutMs = 30_000): Promise<void> {
  await eventually(
    `pods and containers one to one on ${hosts.join(', ')}`,
    async () => {
      const violations = await oneToOneViolations(lab, hosts);
      if (violations.length > 0) throw new Error(violations.join('\n'));
      return true;
    },
    timeoutMs,
  );
}

/** The decision alone: `pods` and `volumes` of the whole grid against one host. */
export function hostViolations(state: HostState, pods: readonly Pod[], volumes: readonly Volume[]): string[] {
  const own = new Map(
    pods.filter((pod) => pod.spec.nodeName === state.host).map((pod) => [pod.metadata.uid ?? '', pod]),
  );
  const isKnown = (uid: string) => own.has(uid);
  const found: string[] = [];
  const say = (sentence: string) => void found.push(`${state.host}: ${sentence}`);

  for (const [uid, pod] of own) for (const sentence of podViolations(pod, containersOf(state, uid))) say(sentence);
  for (const one of state.containers) {
    if (!isKnown(one.labels[hostLabels.podUid] ?? '')) say(`container ${one.name} (${one.state}) of no pod`);
  }
  for (const [uid, address] of Object.entries(state.addresses)) {
    if (!isKnown(uid)) say(`address ${address} of no pod (${uid})`);
  }
  const used = Object.values(state.addresses);
  for (const address of new Set(used.filter((one, index) => used.indexOf(one) !== index))) {
    say(`address ${address} given twice`);
  }
  for (const { name, addresses, labels } of state.containers) {
    const given = state.addresses[labels[hostLabels.podUid] ?? ''];
    for (const address of addresses) if (address !== given) say(`container ${name} has ${address}, not ${given}`);
  }
  for (const path of state.podDirectories) if (!isKnown(path.split('/')[1] ?? '')) say(`directory ${path} of no pod`);
  for (const path of state.podMounts) if (!isKnown(path.split('/')[1] ?? '')) say(`mount ${path} of no pod`);
  for (const name of state.foreignContainers) say(`container ${name} without our label`);
  for (const name of state.networks) if (name !== 'flotilla') say(`network ${name}`);
  const wanted = new Set(volumes.map(({ metadata }) => `fl-main-${metadata.namespace}-${metadata.name}`));
  for (const name of state.volumes) if (!wanted.has(name)) say(`volume ${name} of no Volume object`);
  const alive = state.containers.filter(isAlive);
  if (state.containerMounts !== alive.length) say(`${state.containerMounts} root mounts, ${alive.length} running`);
  const wired = alive.filter(({ addresses }) => addresses.length > 0).length;
  if (state.bridgePorts !== wired) say(`${state.bridgePorts} cables in the bridge, ${wired} running on it`);
  return found;
}

/**
 * A pod that is to run has each of its containers once, and one that holds their address where they are several; of those that
 * ended at most the last one of each name, for its log.
 */
function podViolations(pod: Pod, containers: readonly ContainerObservation[]): string[] {
  const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
  const isFinished = ['Succeeded', 'Failed'].includes(pod.status?.phase ?? '');
  const sentences: string[] = [];
  if (pod.metadata.deletionTimestamp !== undefined) sentences.push(`pod ${name} is still being deleted`);
  const running = isFinished ? [] : runningNames(pod);
  const known = new Set([...running, ...containers.map(nameOf)]);
  for (const own of known) {
    const ofName = containers.filter((one) => nameOf(one) === own);
    const wanted = running.includes(own) ? 1 : 0;
    sentences.push(...containerViolations(`container ${own} of pod ${name} (${pod.status?.phase})`, ofName, wanted));
  }
  const alive = containers.filter(isAlive);
  const told = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  for (const one of alive.filter((container) => nameOf(container) !== pauseName)) {
    const { containerID } = told.find((status) => status.name === nameOf(one)) ?? {};
    if (containerID !== `docker://${one.id}`) {
      sentences.push(`pod ${name} tells of ${containerID}, not of what runs as ${nameOf(one)}`);
    }
  }
  const pause = alive.find((one) => nameOf(one) === pauseName)?.id;
  for (const one of alive.filter((container) => nameOf(container) !== pauseName)) {
    const joined = one.labels[hostLabels.pause];
    if (joined !== pause) sentences.push(`container ${nameOf(one)} of pod ${name} lives with ${joined}, not ${pause}`);
  }
  const [address] = alive.flatMap(({ addresses }) => addresses);
  if (address !== undefined && pod.status?.podIP !== address) {
    sentences.push(`pod ${name} tells ${pod.status?.podIP}, and has ${address}`);
  }
  return sentences;
}

function containerViolations(what: string, containers: readonly ContainerObservation[], wanted: number): string[] {
  const alive = containers.filter(isAlive);
  const states = containers.map((one) => one.state).join(', ');
  const ended = containers.length - alive.length;
  return [
    ...(alive.length === wanted ? [] : [`${what} runs ${alive.length} times, not ${wanted} (${states})`]),
    ...alive.filter((one) => one.state !== 'running').map((one) => `${what}: ${one.state}`),
    ...(ended > 1 ? [`${what} keeps ${ended} containers that ended`] : []),
  ];
}

/** Of a calm pod: its init containers are through. */
function runningNames(pod: Pod): readonly string[] {
  const all = podContainers(pod);
  const names = all.flatMap(({ role, container }) => (role === 'init' ? [] : [container.name]));
  return all.length > 1 ? [pauseName, ...names] : names;
}

function nameOf(one: ContainerObservation): string {
  return one.labels[hostLabels.container] ?? '';
}

function containersOf(state: HostState, uid: string): readonly ContainerObservation[] {
  return state.containers.filter((one) => one.labels[hostLabels.podUid] === uid);
}

function isAlive(one: ContainerObservation): boolean {
  return one.state === 'running' || one.state === 'paused' || one.state === 'restarting';
}
