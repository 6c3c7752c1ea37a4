// What ends and comes back in a lab, and how one sees that it has.
import type { HttpClient } from '../../src/client/http-client.ts';
import { nodes } from '../../src/resources/kinds.ts';
import type { PodView } from '../../test/e2e/cluster.ts';
import { machineOf, runOn, shellOn } from '../../test/e2e/host-state.ts';
import { eventually, type TestLab } from '../../test/e2e/lab.ts';
import type { WireTarget } from './outcome.ts';
import { answers } from './site-answers.ts';
import { hosts, siteHost } from './world.ts';

export async function restartAgent(lab: TestLab, client: HttpClient, host: string): Promise<void> {
  await restartUnit(lab, host, 'agent');
  // Through the tunnel that the new one opens.
  await eventually(`the agent of ${host} to answer`, async () => {
    await client.raw({ method: 'GET', path: `/api/v1/nodes/${host}/proxy/metrics` });
    return true;
  });
}

export async function restartServer(lab: TestLab, client: HttpClient): Promise<void> {
  await restartUnit(lab, 's1', 'server');
  await eventually('the server to answer', async () => {
    await client.raw({ method: 'GET', path: '/readyz' });
    return true;
  });
  await eventually('every node', async () => (await readyNodes(client)).size === hosts.length);
}

async function restartUnit(lab: TestLab, name: string, unit: string): Promise<void> {
  const machine = await machineOf(lab, name);
  const pid = () => shellOn(machine, `cat /run/lab/${unit}.pid`);
  const former = await pid();
  await shellOn(machine, `kill ${former.trim()}`);
  await eventually(`another ${unit} on ${name}`, async () => (await pid()) !== former);
}

export async function readyNodes(client: HttpClient): Promise<ReadonlySet<string>> {
  const { items } = await client.list(nodes);
  const isNodeReady = (node: (typeof items)[number]) =>
    node.status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;
  return new Set(items.filter(isNodeReady).map((node) => node.metadata.name));
}

/** Its process, with no word to anybody. */
export async function killInstance(lab: TestLab, pod: PodView | undefined, strikes: () => void): Promise<void> {
  const machine = await machineOf(lab, pod?.spec.nodeName ?? '');
  const id = pod?.status?.containerStatuses?.[0]?.containerID?.replace('docker://', '') ?? '';
  strikes();
  const { code, stderr } = await runOn(machine, ['docker', 'kill', '--signal', 'KILL', id]);
  if (code !== 0) throw new Error(stderr);
}

/** Every process of it on the host that has this address. */
export async function killProxy(lab: TestLab, target: WireTarget, strikes: () => void): Promise<void> {
  const host = `h${target.address.split('.').at(-1)}`;
  const machine = await machineOf(lab, host);
  const { stdout } = await runOn(machine, ['pidof', 'haproxy']);
  const pids = stdout.trim().split(' ').filter(Boolean);
  if (pids.length === 0) throw new Error(`no HAProxy on ${host}`);
  strikes();
  await runOn(machine, ['kill', '-9', ...pids]);
  await eventually(`the proxy of ${host} again`, async () => answers(target, siteHost));
}
