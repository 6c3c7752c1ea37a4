import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import type { ConfigMap, EndpointSlice, Node, Pod, Secret, Service } from '../../resources/kinds.ts';
import type { StoredToken } from '../pod/pod-tokens.ts';
import { refuseNewer } from './agent-state.ts';
import { writeAtomically } from './atomic-file.ts';

/** Everything that the agent needs to go on while no server answers, reboots included; `<data>/assignments`. */
export interface Assignments {
  readonly pods: readonly Pod[];
  readonly references: readonly (ConfigMap | Secret)[];
  /** Absent in files of earlier versions. */
  readonly tokens?: readonly StoredToken[];
  readonly nodes: readonly Node[];
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
}

const assignmentsVersion = 1;
const ivBytes = 12;
const tagBytes = 16;

/**
 * One line of JSON with the version, then iv ‖ ciphertext ‖ tag (AES-256-GCM under a key made from the node's own key):
 * a copy of the file alone tells nothing. The version line is the additional data.
 */
export function sealAssignments(assignments: Assignments, nodeKeyPem: string): Buffer {
  const header = Buffer.from(`${JSON.stringify({ version: assignmentsVersion })}\n`);
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', keyFrom(nodeKeyPem), iv);
  cipher.setAAD(header);
  const text = Buffer.concat([cipher.update(JSON.stringify(assignments), 'utf8'), cipher.final()]);
  return Buffer.concat([header, iv, text, cipher.getAuthTag()]);
}

/** Throws StoreTooNew, or StoreCorrupt when the file was damaged or belongs to another node. */
export function openAssignments(sealed: Buffer, nodeKeyPem: string, path: string): Assignments {
  const end = sealed.indexOf(0x0a) + 1;
  const header = sealed.subarray(0, end);
  let version: unknown;
  try {
    version = (JSON.parse(header.toString('utf8')) as { version?: unknown }).version;
  } catch {
    version = undefined;
  }
  refuseNewer(version, assignmentsVersion, path);
  try {
    const body = sealed.subarray(end);
    const decipher = createDecipheriv('aes-256-gcm', keyFrom(nodeKeyPem), body.subarray(0, ivBytes));
    decipher.setAAD(header);
    decipher.setAuthTag(body.subarray(-tagBytes));
    const text = Buffer.concat([decipher.update(body.subarray(ivBytes, -tagBytes)), decipher.final()]);
    return JSON.parse(text.toString('utf8')) as Assignments;
  } catch (cause) {
    throw new FlotillaError('StoreCorrupt', `${path} cannot be read: ${messageOf(cause)}`, {
      hint: 'Remove it; the agent gets its assignments from a server again',
      cause,
    });
  }
}

export async function readAssignments(dataDirectory: string, nodeKeyPem: string): Promise<Assignments | undefined> {
  const path = join(dataDirectory, 'assignments');
  try {
    return openAssignments(await readFile(path), nodeKeyPem, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export async function writeAssignments(dataDirectory: string, assignments: Assignments, key: string): Promise<void> {
  await writeAtomically(join(dataDirectory, 'assignments'), sealAssignments(assignments, key));
}

function keyFrom(nodeKeyPem: string): Buffer {
  return Buffer.from(hkdfSync('sha256', nodeKeyPem, 'flotilla', 'assignments', 32));
}
