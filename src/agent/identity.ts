import { generateKeyPairSync } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { backoffMs } from '../lib/backoff.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { FlotillaError, hasCode } from '../lib/errors.ts';
import { readIfThere, writeAtomically } from '../lib/files.ts';
import type { Logger } from '../lib/log.ts';
import type { NodeCredentials } from '../tunnel/dial.ts';
import { joinCluster, renewalDueMs, renewCertificate } from '../tunnel/join.ts';
import type { AgentSettings } from './agent-options.ts';
import { type AgentState, type AgentStateFile, openAgentState, readAgentState } from './disk/agent-state.ts';

/** Who this node is: a key made once, and the certificate that a server gave for it. */
export interface AgentIdentity {
  readonly file: AgentStateFile;
  /** With the newest certificate. */
  credentials(): NodeCredentials;
  stop(): void;
}

const joinRetry = { initialMs: 500, maxMs: 5_000 };
const renewRetryMs = 60_000;
/** Timers hold at most 24.8 days. */
const longestTimerMs = 86_400_000;

/** Reads the identity, or joins with the token. Keeps asking while no server can be reached; throws when one refuses. */
export async function openIdentity(
  options: AgentSettings,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<AgentIdentity> {
  const { dataDirectory, log } = options;
  const paths = {
    key: join(dataDirectory, 'node.key'),
    certificate: join(dataDirectory, 'node.crt'),
    authority: join(dataDirectory, 'ca.crt'),
  };
  const key = (await readIfThere(paths.key)) ?? (await makeKey(paths.key));
  let state = await readAgentState(dataDirectory);
  let certificate = await readIfThere(paths.certificate);
  let caCertificate = await readIfThere(paths.authority);
  if (!state || !certificate || !caCertificate) {
    const joined = await joinAny(options, key, state, signal, clock);
    caCertificate = joined.caCertificate;
    certificate = joined.certificate;
    state = {
      version: 1,
      nodeName: joined.nodeName,
      grid: joined.grid,
      servers: joined.servers,
      addresses: state?.addresses ?? { next: 0, byPod: {} },
      ...(state?.podCIDR === undefined ? {} : { podCIDR: state.podCIDR }),
    };
    await writeAtomically(paths.authority, caCertificate, 0o644);
    await openAgentState(dataDirectory, state).save();
    // Last: with this file there, the node counts as joined.
    await writeAtomically(paths.certificate, certificate);
    log.info('joined', { node: state.nodeName, grid: state.grid });
  } else if (options.servers.length > 0) {
    state.servers = [...new Set([...options.servers, ...state.servers])];
  }
  if (options.nodeName !== undefined && options.nodeName !== state.nodeName) {
    throw new FlotillaError('Conflict', `${dataDirectory} belongs to node ${state.nodeName}, not ${options.nodeName}`, {
      hint: 'Give another data directory, or leave the name out',
    });
  }
  const file = openAgentState(dataDirectory, state);
  const current = { certificate };
  const credentials = (): NodeCredentials => ({
    caCertificate: caCertificate ?? '',
    certificate: current.certificate,
    key,
  });
  const stop = keepRenewed(file.state, credentials, log, clock, async (renewed) => {
    await writeAtomically(paths.certificate, renewed);
    current.certificate = renewed;
  });
  return { file, credentials, stop };
}

async function joinAny(
  options: AgentSettings,
  keyPem: string,
  state: AgentState | undefined,
  signal: AbortSignal,
  clock: Clock,
): ReturnType<typeof joinCluster> {
  const { token, servers } = options;
  if (token === undefined || servers.length === 0) {
    throw new FlotillaError('BadUsage', `this machine has not joined a cluster: ${options.dataDirectory} is empty`, {
      hint: 'Give a server and the token that `flotilla node token` prints',
    });
  }
  const nodeName = options.nodeName ?? state?.nodeName ?? hostname().toLowerCase();
  for (let failures = 0; ; ) {
    for (const server of servers) {
      try {
        return await joinCluster({ server, token, nodeName, keyPem });
      } catch (error) {
        if (!hasCode(error, 'Unavailable')) throw error;
        if (failures === 0) options.log.warn('cannot join yet, trying again', { server, error });
      }
    }
    failures++;
    await clock.sleep(backoffMs(failures, joinRetry), signal);
  }
}

/** Renews at two thirds of the certificate's life, with any server; the same key. */
function keepRenewed(
  state: AgentState,
  credentials: () => NodeCredentials,
  log: Logger,
  clock: Clock,
  store: (certificate: string) => Promise<void>,
): () => void {
  let cancel = () => {};
  const renew = async (): Promise<void> => {
    for (const server of state.servers) {
      try {
        await store(await renewCertificate(server, credentials(), credentials().key));
        log.info('certificate renewed', { server });
        return schedule();
      } catch (error) {
        log.warn('certificate not renewed', { server, error });
      }
    }
    cancel = clock.after(renewRetryMs, () => void renew());
  };
  const schedule = (): void => {
    const dueMs = renewalDueMs(credentials().certificate) - clock.wallMs();
    if (dueMs > longestTimerMs) cancel = clock.after(longestTimerMs, schedule);
    else cancel = clock.after(Math.max(0, dueMs), () => void renew());
  };
  schedule();
  return () => cancel();
}

async function makeKey(path: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  await writeAtomically(path, pem);
  return pem;
}
