import { join } from 'node:path';
import { readBytesIfThere, writeAtomically } from '../../lib/files.ts';
import type {
  AddressGroup,
  ConfigMap,
  EndpointSlice,
  NetworkPolicy,
  Node,
  Pod,
  Secret,
  Service,
} from '../../resources/kinds.ts';
import type { StoredToken } from '../pod/pod-tokens.ts';
import { seal, unseal } from './sealed.ts';

/** Everything that the agent needs to go on while no server answers, reboots included; `<data>/assignments`. */
export interface Assignments {
  readonly pods: readonly Pod[];
  readonly references: readonly (ConfigMap | Secret)[];
  /** Absent in files of earlier versions. */
  readonly tokens?: readonly StoredToken[];
  readonly nodes: readonly Node[];
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
  /** Absent in files of earlier versions. */
  readonly policies?: readonly NetworkPolicy[];
  readonly addressGroups?: readonly AddressGroup[];
}

const form = { purpose: 'assignments', version: 1 };

export function sealAssignments(assignments: Assignments, nodeKeyPem: string): Buffer {
  return seal(assignments, form, nodeKeyPem);
}

/** Throws StoreTooNew, or StoreCorrupt when the file was damaged or belongs to another node. */
export function openAssignments(sealed: Buffer, nodeKeyPem: string, path: string): Assignments {
  return unseal(sealed, form, nodeKeyPem, path) as Assignments;
}

export async function readAssignments(dataDirectory: string, nodeKeyPem: string): Promise<Assignments | undefined> {
  const path = join(dataDirectory, 'assignments');
  const sealed = await readBytesIfThere(path);
  return sealed && openAssignments(sealed, nodeKeyPem, path);
}

export async function writeAssignments(dataDirectory: string, assignments: Assignments, key: string): Promise<void> {
  await writeAtomically(join(dataDirectory, 'assignments'), sealAssignments(assignments, key));
}
