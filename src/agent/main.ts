import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createPodDialer } from '../adapters/dialer/pod-dialer.ts';
import { startDnsProcess } from '../adapters/dns/process/process-client.ts';
import { ZoneBuilder } from '../adapters/dns/zone/zone-builder.ts';
import { createHaproxy } from '../adapters/ingress/haproxy/haproxy.ts';
import { vxlanDevice, wireguardDevice } from '../adapters/overlay/devices.ts';
import { createKernelOverlay } from '../adapters/overlay/kernel-overlay.ts';
import { createNftPolicyEnforcer } from '../adapters/policy/nft.ts';
import { createDockerRuntime } from '../adapters/runtime/docker.ts';
import { createNftServiceProxy } from '../adapters/services/nft.ts';
import { systemClock } from '../lib/clock.ts';
import { exec } from '../lib/exec.ts';
import { createPinoLogger } from '../lib/pino-logger.ts';
import { startAgentParts } from './agent.ts';
import type { AgentOptions, RunningAgent } from './agent-options.ts';
import { type EndReason, endReasonOf, endSignals } from './host-end/signals.ts';
import { openIdentity } from './identity.ts';
import { findHostAddresses } from './network/host-address.ts';
import { createFailPoints, type FailPoints, parseFailPoints } from './pod/fail-point.ts';
import { stepTypes } from './pod/steps/run-step.ts';

export type { AgentOptions, RunningAgent } from './agent-options.ts';

const clusterDomain = 'cluster.local';

/**
 * Joins when this machine has not yet, then runs pods until `stop`, which leaves them running. Rejects when a server
 * refuses the node; waits while none can be reached and the node has not joined.
 */
export async function startAgent(options: AgentOptions, signal?: AbortSignal): Promise<RunningAgent> {
  const log = options.log ?? createPinoLogger({ fields: { role: 'agent' } });
  const settings = { ...options, log, version: options.version ?? (await packageVersion()) };
  await mkdir(options.dataDirectory, { recursive: true, mode: 0o711 });
  const identity = await openIdentity(settings, signal ?? new AbortController().signal);
  const { state } = identity.file;
  const host = await findHostAddresses({ ...options, server: state.servers[0] ?? '' }, exec);
  return startAgentParts({
    options: settings,
    identity,
    addresses: host.addresses,
    trustedInterfaces: [host.interfaceName, vxlanDevice, wireguardDevice],
    domain: clusterDomain,
    runtime: createDockerRuntime({ log, ...(options.dockerSocket ? { socketPath: options.dockerSocket } : {}) }),
    dialer: createPodDialer(),
    network: {
      overlay: createKernelOverlay({ exec, log, directory: options.dataDirectory }),
      serviceProxy: createNftServiceProxy({ exec, log }),
      policyEnforcer: createNftPolicyEnforcer({ exec, log }),
      startDns: (settings, addresses) =>
        startDnsProcess({ dataDirectory: options.dataDirectory, settings, addresses, log }),
      createZone: () => new ZoneBuilder(),
    },
    createIngressProxy: (onAccess) =>
      createHaproxy({ directory: ingressDirectory(options.dataDirectory), onAccess, log }),
    exec,
    clock: systemClock,
    ...failPointsFrom(process.env.FLOTILLA_FAILPOINT),
  });
}

/** `startAgent` until a signal; what runs on the host goes on, unless the host itself goes down. */
export async function runAgent(options: AgentOptions): Promise<void> {
  const abort = new AbortController();
  const ended = endOfAgent(() => abort.abort(new Error('the agent was told to stop')));
  let agent: RunningAgent;
  try {
    agent = await startAgent(options, abort.signal);
  } catch (error) {
    if (abort.signal.aborted) return;
    throw error;
  }
  if ((await ended) === 'host') await agent.endHost();
  await agent.stop();
}

/** Resolves with the first signal that ends this process, and what it means for the containers of this host. */
export async function endOfAgent(onSignal: () => void = () => {}): Promise<EndReason> {
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    for (const name of endSignals) process.once(name, () => resolve(name));
  });
  onSignal();
  return endReasonOf(signal, exec);
}

/** For tests alone: where this process is to end or to stand still. */
function failPointsFrom(text: string | undefined): { readonly failPoints?: FailPoints } {
  if (!text) return {};
  const points = parseFailPoints(text, stepTypes);
  const act = (name: NodeJS.Signals, point: string) => {
    writeSync(2, `fail point ${point}\n`); // at once: there is no later
    process.kill(process.pid, name);
  };
  return { failPoints: createFailPoints(points, act) };
}

/** In memory: HAProxy reads private keys from files. Outlives the agent, and ends with the host. */
function ingressDirectory(dataDirectory: string): string {
  const hash = createHash('sha256').update(resolve(dataDirectory)).digest('hex').slice(0, 12);
  return `/run/flotilla-haproxy-${hash}`;
}

async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
