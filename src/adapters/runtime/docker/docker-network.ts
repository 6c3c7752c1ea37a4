import { FlotillaError } from '../../../lib/errors.ts';
import { hostLabels } from '../../../resources/names.ts';
import type { NetworkSpec } from '../port.ts';
import type { DockerEngine } from './docker-engine.ts';

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

/** Makes the network, or makes it again when its range or options differ and no container holds it. */
export async function ensureDockerNetwork(engine: DockerEngine, network: NetworkSpec): Promise<void> {
  const path = `/networks/${network.name}`;
  const purpose = `make network ${network.name}`;
  const found = await engine.call({ method: 'GET', path, purpose, accept: [404] });
  if (found.status !== 404) {
    const existing = found.body as NetworkAnswer;
    const difference = differenceOf(existing, network);
    if (difference === undefined) return;
    if (!existing.Labels?.[hostLabels.managed]) {
      throw new FlotillaError('Conflict', `network ${network.name} exists on this host and is not Flotilla's`, {
        hint: `Remove it with docker network rm ${network.name}`,
      });
    }
    const users = Object.keys(existing.Containers ?? {}).length;
    if (users > 0) {
      throw new FlotillaError(
        'Conflict',
        `network ${network.name} has ${difference} and ${users} running containers: it cannot be made anew`,
        { retryable: true, hint: 'Drain the node' },
      );
    }
    await engine.call({ method: 'DELETE', path: `/networks/${existing.Id}`, purpose, accept: [404] });
  }
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
    purpose,
    timeoutMs: 30_000,
  });
}

function differenceOf(existing: NetworkAnswer, network: NetworkSpec): string | undefined {
  const config = existing.IPAM?.Config?.[0];
  if (config?.Subnet !== network.subnet) return `range ${config?.Subnet} instead of ${network.subnet}`;
  if (config.Gateway !== network.gateway) return `gateway ${config.Gateway} instead of ${network.gateway}`;
  for (const [key, value] of Object.entries(renderNetworkOptions(network))) {
    const is = existing.Options?.[key];
    if (is !== value) return `option ${key}=${is} instead of ${value}`;
  }
  return undefined;
}
