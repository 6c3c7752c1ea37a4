import { join } from 'node:path';
import { FlotillaError } from '../../lib/errors.ts';
import { readIfThere, writeAtomically } from '../../lib/files.ts';
import type { GridIngress } from '../../resources/grid-ingress.ts';
import type { GridNetwork } from '../../resources/grid-network.ts';
import type { AddressPoolState } from '../network/address-pool.ts';
import { coalesce } from './coalesced-writer.ts';

/** What must survive a restart of the agent and is no secret; `<data>/state.json`. */
export interface AgentState {
  readonly version: 1;
  nodeName: string;
  grid: string;
  servers: readonly string[];
  /** This node's share of the pod range, as the API said last. */
  podCIDR?: string;
  /** What holds for the grid, as the API said last. */
  network?: GridNetwork;
  ingress?: GridIngress;
  addresses: AddressPoolState;
}

export interface AgentStateFile {
  readonly state: AgentState;
  /** Resolves when the state as it is now is on disk. */
  save(): Promise<void>;
}

const stateVersion = 1;

/** Undefined when there is none. Throws StoreTooNew for a file of a newer Flotilla, StoreCorrupt for one that is none. */
export async function readAgentState(dataDirectory: string): Promise<AgentState | undefined> {
  const path = join(dataDirectory, 'state.json');
  const text = await readIfThere(path);
  return text === undefined ? undefined : parseAgentState(text, path);
}

export function parseAgentState(text: string, path: string): AgentState {
  let parsed: Partial<AgentState> & { version?: unknown };
  try {
    parsed = JSON.parse(text) as typeof parsed;
  } catch (cause) {
    throw new FlotillaError('StoreCorrupt', `${path} is not JSON`, { cause, hint: 'Move it away and start again' });
  }
  refuseNewer(parsed.version, stateVersion, path);
  if (typeof parsed.nodeName !== 'string' || typeof parsed.grid !== 'string' || !Array.isArray(parsed.servers)) {
    throw new FlotillaError('StoreCorrupt', `${path} lacks nodeName, grid or servers`, {
      hint: 'Move it away and start again',
    });
  }
  return {
    version: stateVersion,
    nodeName: parsed.nodeName,
    grid: parsed.grid,
    servers: parsed.servers,
    addresses: parsed.addresses ?? { next: 0, byPod: {} },
    ...(typeof parsed.podCIDR === 'string' ? { podCIDR: parsed.podCIDR } : {}),
    ...(parsed.network === undefined ? {} : { network: parsed.network }),
    ...(parsed.ingress === undefined ? {} : { ingress: parsed.ingress }),
  };
}

export function refuseNewer(found: unknown, known: number, path: string): void {
  if (typeof found === 'number' && found <= known) return;
  if (typeof found !== 'number') throw new FlotillaError('StoreCorrupt', `${path} has no version`);
  throw new FlotillaError('StoreTooNew', `${path} has version ${found}; this agent knows up to ${known}`, {
    hint: 'Start the newer Flotilla that wrote it',
  });
}

export function openAgentState(dataDirectory: string, state: AgentState): AgentStateFile {
  const path = join(dataDirectory, 'state.json');
  return { state, save: coalesce(() => writeAtomically(path, `${JSON.stringify(state, null, 2)}\n`)) };
}
