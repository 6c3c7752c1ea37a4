import { writeSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { createPodDialer } from '../adapters/dialer/pod-dialer.ts';
import { startDnsServer } from '../adapters/dns/server.ts';
import { buildZone } from '../adapters/dns/zone.ts';
import { createHostGateway } from '../adapters/overlay/host-gw.ts';
import { createDockerRuntime } from '../adapters/runtime/docker.ts';
import { systemClock } from '../lib/clock.ts';
import { exec } from '../lib/exec.ts';
import { createPinoLogger } from '../lib/pino-logger.ts';
import { startAgentParts } from './agent.ts';
import type { AgentOptions, RunningAgent } from './agent-options.ts';
import { openIdentity } from './identity.ts';
import { findHostAddress, interfaceOf } from './network/host-address.ts';
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
  const host =
    options.addresses && options.addresses.length > 0
      ? { addresses: options.addresses, interfaceName: await interfaceOf(options.addresses, exec) }
      : await findHostAddress(state.servers[0] ?? '', exec).then(({ address, interfaceName }) => ({
          addresses: [address],
          interfaceName,
        }));
  return startAgentParts({
    options: settings,
    identity,
    addresses: host.addresses,
    trustedInterfaces: host.interfaceName === undefined ? [] : [host.interfaceName],
    domain: clusterDomain,
    runtime: createDockerRuntime({ log, ...(options.dockerSocket ? { socketPath: options.dockerSocket } : {}) }),
    dialer: createPodDialer(),
    overlay: createHostGateway({ exec, log }),
    startDns: (address) =>
      startDnsServer({ addresses: [{ address, port: options.dnsPort ?? 53 }], domain: clusterDomain, log }),
    buildZone: (services, slices) => buildZone({ domain: clusterDomain, services, slices }),
    exec,
    clock: systemClock,
    ...failPointsFrom(process.env.FLOTILLA_FAILPOINT),
  });
}

/** `startAgent` until SIGTERM or SIGINT. */
export async function runAgent(options: AgentOptions): Promise<void> {
  const abort = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    const stop = () => {
      abort.abort(new Error('the agent was told to stop'));
      resolve();
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
  });
  let agent: RunningAgent;
  try {
    agent = await startAgent(options, abort.signal);
  } catch (error) {
    if (abort.signal.aborted) return;
    throw error;
  }
  await stopped;
  await agent.stop();
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

async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
