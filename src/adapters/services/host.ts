import { ensureDockerUserChain, isDockerUserChainReached } from '../../lib/docker-user-chain.ts';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';
import type { Frame } from './layout.ts';

/** Our mark on the route, rtnetlink(7) `rtm_protocol`; the overlay's routes have one of their own. */
export const routeProtocol = '82';

const comment = 'flotilla services';
const iptables = ['iptables', '-w', '5'];

/** Written once each time all is done anew. */
const sysctls = (bridgeName: string): readonly (readonly [path: string, value: string])[] => [
  // Packets that stay on the bridge are translated too, or two pods on it could not talk through a service address.
  ['net/bridge/bridge-nf-call-iptables', '1'],
  // The kernel would tell a pod that an address that nobody has is its neighbour; it does not believe it, but what the kernel
  // may send it a second is used up by that, and it is not told that it was refused. The kernel takes the two by OR.
  ['net/ipv4/conf/all/send_redirects', '0'],
  [`net/ipv4/conf/${bridgeName}/send_redirects`, '0'],
];

/** Gives the paths that the kernel does not have. */
export async function setSysctls(exec: Exec, bridgeName: string): Promise<string[]> {
  const missing: string[] = [];
  for (const [path, value] of sysctls(bridgeName)) {
    const set = () => exec(['tee', `/proc/sys/${path}`], { stdin: `${value}\n`, okCodes: [0, 1] });
    if ((await set()).code === 0) continue;
    await exec(['modprobe', 'br_netfilter'], { okCodes: [0, 1, 255] }).catch(() => undefined); // not on every host
    if ((await set()).code !== 0) missing.push(path);
  }
  return missing;
}

export async function areSysctlsSet(exec: Exec, bridgeName: string): Promise<boolean> {
  const wanted = sysctls(bridgeName);
  // Exit code 1: the kernel lacks one, which was said when it could not be set.
  const { stdout } = await exec(['grep', '-H', '', ...wanted.map(([path]) => `/proc/sys/${path}`)], {
    okCodes: [0, 1, 2],
  });
  return stdout
    .trim()
    .split('\n')
    .every((line) => wanted.some(([path, value]) => line === `/proc/sys/${path}:${value}`));
}

interface KernelRoute {
  readonly dst: string;
  readonly dev?: string;
  readonly prefsrc?: string;
}

/** Host processes reach service addresses through it, with the source address of a pod: a node's own the far host drops. */
export async function setRoute(exec: Exec, { serviceRange, self }: Frame): Promise<void> {
  const route = ['ip', 'route', 'replace', serviceRange, 'dev', self.bridgeName];
  await exec([...route, 'src', self.gateway, 'proto', routeProtocol]);
  for (const { dst } of await listRoutes(exec)) {
    if (dst !== serviceRange) await exec(['ip', 'route', 'del', dst, 'proto', routeProtocol]);
  }
}

export async function isRouteSet(exec: Exec, { serviceRange, self }: Frame): Promise<boolean> {
  const routes = await listRoutes(exec);
  const [route] = routes;
  return (
    routes.length === 1 &&
    route?.dst === serviceRange &&
    route.dev === self.bridgeName &&
    route.prefsrc === self.gateway
  );
}

export async function removeRoute(exec: Exec): Promise<void> {
  await exec(['ip', 'route', 'flush', 'proto', routeProtocol]);
}

async function listRoutes(exec: Exec): Promise<readonly KernelRoute[]> {
  return parseJson('ip -j route', (await exec(['ip', '-j', 'route', 'show', 'proto', routeProtocol])).stdout);
}

/** Ports of the bridge, with whether each sends back what it came from. */
export async function listPorts(exec: Exec, bridgeName: string): Promise<ReadonlyMap<string, boolean>> {
  const rows: readonly { ifname: string; master?: string; hairpin?: boolean }[] = parseJson(
    'bridge -j -d link',
    (await exec(['bridge', '-j', '-d', 'link', 'show'])).stdout,
  );
  return new Map(
    rows.filter((row) => row.master === bridgeName).map((row) => [row.ifname, row.hairpin === true] as const),
  );
}

/** A port that went meanwhile is no failure. */
export async function setHairpin(exec: Exec, port: string): Promise<void> {
  await exec(['bridge', 'link', 'set', 'dev', port, 'hairpin', 'on'], { okCodes: [0, 1, 2, 255] });
}

/**
 * Accepts what a service address led to a pod, and the answers: under Docker's FORWARD policy DROP nothing but DOCKER-USER
 * can. By the pod that answers, and by the address that was called, for endpoints that are no pods.
 */
function forwardingRules({ podRange, serviceRange }: Frame): string[][] {
  return [
    ['--ctreplsrc', podRange],
    ['--ctorigdst', serviceRange],
  ].map((match) => [
    ...['-m', 'conntrack', '--ctstate', 'DNAT', ...match],
    ...['-m', 'comment', '--comment', comment, '-j', 'ACCEPT'],
  ]);
}

export async function isForwardingAccepted(exec: Exec, frame: Frame): Promise<boolean> {
  if (!(await isDockerUserChainReached(exec))) return false;
  const ours = await listForwarding(exec);
  const wanted = forwardingRules(frame);
  return (
    ours.length === wanted.length &&
    wanted.every(([, , , , option, range]) => ours.some((line) => line.includes(`${option} ${range} `)))
  );
}

export async function acceptForwarding(exec: Exec, frame: Frame): Promise<void> {
  if (await isForwardingAccepted(exec, frame)) return;
  await removeForwarding(exec); // of another range, or a half
  await ensureDockerUserChain(exec);
  for (const rule of forwardingRules(frame)) await exec([...iptables, '-I', 'DOCKER-USER', ...rule]);
}

export async function removeForwarding(exec: Exec): Promise<void> {
  for (const line of await listForwarding(exec)) {
    const rule = line.replace(/^-A DOCKER-USER /, '').match(/"[^"]*"|\S+/g) ?? [];
    await exec([...iptables, '-D', 'DOCKER-USER', ...rule.map((part) => part.replace(/^"|"$/g, ''))]);
  }
}

/** Exit code 1: no such chain (an engine that has not started yet takes over the one we make). */
async function listForwarding(exec: Exec): Promise<string[]> {
  const { stdout } = await exec([...iptables, '-S', 'DOCKER-USER'], { okCodes: [0, 1] });
  return stdout.split('\n').filter((line) => line.includes(`--comment "${comment}"`));
}

function parseJson<T>(command: string, text: string): readonly T[] {
  try {
    return text.trim() === '' ? [] : (JSON.parse(text) as T[]);
  } catch (cause) {
    throw new FlotillaError('HostToolFailed', `cannot read the answer of "${command}": ${messageOf(cause)}`, { cause });
  }
}
