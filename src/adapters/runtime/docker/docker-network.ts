import { FlotillaError } from '../../../lib/errors.ts';
import type { Exec } from '../../../lib/exec.ts';
import { hostLabels } from '../../../resources/names.ts';
import type { NetworkSpec } from '../port.ts';
import type { DockerEngine } from './docker-engine.ts';
import { dropKeptAddress, keepAddress } from './kept-address.ts';

interface NetworkAnswer {
  readonly Id: string;
  readonly Labels?: Record<string, string> | null;
  readonly IPAM?: { readonly Config?: readonly { Subnet?: string; Gateway?: string }[] | null };
  readonly Options?: Record<string, string> | null;
  readonly Containers?: Record<string, unknown> | null;
}

/** Options that an engine does not know are accepted in silence, so all are always given. */
export function renderNetworkOptions(network: NetworkSpec): Record<string, string> {
  return {
    'com.docker.network.bridge.name': network.bridgeName,
    'com.docker.network.bridge.enable_ip_masquerade': 'false',
    'com.docker.network.driver.mtu': String(network.mtu),
    'com.docker.network.bridge.trusted_host_interfaces': network.trustedInterfaces.join(':'),
  };
}

/** Makes the network, or makes it again when its range or options differ and no container holds it. `exec`: where its bridge is. */
export async function ensureDockerNetwork(engine: DockerEngine, exec: Exec, network: NetworkSpec): Promise<void> {
  const path = `/networks/${network.name}`;
  const purpose = `make network ${network.name}`;
  const found = await engine.call({ method: 'GET', path, purpose, accept: [404] });
  if (found.status !== 404) {
    const existing = found.body as NetworkAnswer;
    const difference = differenceOf(existing, network);
    if (difference === undefined) return dropKeptAddress(exec, network.gateway); // of an agent that was killed amid this
    if (!existing.Labels?.[hostLabels.managed]) {
      throw new FlotillaError('Conflict', `network ${network.name} exists on this host and is not Flotilla's`, {
        hint: `Remove it with docker network rm ${network.name}`,
      });
    }
    const users = Object.keys(existing.Containers ?? {}).length;
    // Another backend of the overlay has another MTU: running pods keep theirs, and hosts tell them what fits.
    if (users > 0 && !difference.isVital) return;
    if (users > 0) {
      throw new FlotillaError(
        'Conflict',
        `network ${network.name} has ${difference.text} and ${users} running containers: it cannot be made anew`,
        { retryable: true, hint: 'Drain the node' },
      );
    }
    if (existing.IPAM?.Config?.[0]?.Gateway === network.gateway) await keepAddress(exec, network.gateway);
    await engine.call({ method: 'DELETE', path: `/networks/${existing.Id}`, purpose, accept: [404] });
  }
  await makeNetwork(engine, network);
  await dropKeptAddress(exec, network.gateway);
}

async function makeNetwork(engine: DockerEngine, network: NetworkSpec): Promise<void> {
  await engine.call({
    method: 'POST',
    path: '/networks/create',
    body: {
      Name: network.name,
      CheckDuplicate: true,
      Driver: 'bridge',
      IPAM: { Driver: 'default', Config: [{ Subnet: network.subnet, Gateway: network.gateway }] },
      Options: renderNetworkOptions(network),
      Labels: { ...network.labels, [hostLabels.managed]: 'true' },
    },
    purpose: `make network ${network.name}`,
    timeoutMs: 30_000,
  });
}

/** It is there and ours, and no container runs in it. */
export async function remakeDockerNetwork(engine: DockerEngine, network: NetworkSpec): Promise<void> {
  const purpose = `make network ${network.name} again`;
  await engine.call({ method: 'DELETE', path: `/networks/${network.name}`, purpose, accept: [404] });
  await makeNetwork(engine, network);
}

/** What can wait until the network is unused. */
const laterOptions = ['com.docker.network.driver.mtu', 'com.docker.network.bridge.trusted_host_interfaces'];

/** The most important one. */
function differenceOf(
  existing: NetworkAnswer,
  network: NetworkSpec,
): { readonly text: string; readonly isVital: boolean } | undefined {
  const config = existing.IPAM?.Config?.[0];
  const vital = (text: string) => ({ text, isVital: true });
  if (config?.Subnet !== network.subnet) return vital(`range ${config?.Subnet} instead of ${network.subnet}`);
  if (config.Gateway !== network.gateway) return vital(`gateway ${config.Gateway} instead of ${network.gateway}`);
  const others = Object.entries(renderNetworkOptions(network)).flatMap(([key, value]) => {
    const is = existing.Options?.[key];
    const isVital = !laterOptions.includes(key);
    return is === value ? [] : [{ text: `option ${key}=${is} instead of ${value}`, isVital }];
  });
  return others.find(({ isVital }) => isVital) ?? others[0];
}
