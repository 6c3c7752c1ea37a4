import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readBytesIfThere, writeAtomically } from '../../lib/files.ts';
import type { Certificate, Ingress, IngressClass, Secret } from '../../resources/kinds.ts';
import { seal, unseal } from './sealed.ts';

/** What a node that lets traffic in needs for it besides services, while no server answers, reboots included. */
export interface IngressObjects {
  readonly ingresses: readonly Ingress[];
  readonly classes: readonly IngressClass[];
  /** Of types `kubernetes.io/tls` and `flotilla.dev/basic-auth`. */
  readonly secrets: readonly Secret[];
  readonly certificates: readonly Certificate[];
}

const form = { purpose: 'ingress', version: 1 };

/** `<data>/ingress.sealed`. Undefined when there is none. Throws StoreTooNew or StoreCorrupt. */
export async function readIngressObjects(
  dataDirectory: string,
  nodeKeyPem: string,
): Promise<IngressObjects | undefined> {
  const path = pathIn(dataDirectory);
  const sealed = await readBytesIfThere(path);
  return sealed && (unseal(sealed, form, nodeKeyPem, path) as IngressObjects);
}

export async function writeIngressObjects(
  dataDirectory: string,
  objects: IngressObjects,
  nodeKeyPem: string,
): Promise<void> {
  await writeAtomically(pathIn(dataDirectory), seal(objects, form, nodeKeyPem));
}

/** This node lets nobody in any more: others' secrets do not stay. */
export async function removeIngressObjects(dataDirectory: string): Promise<void> {
  await rm(pathIn(dataDirectory), { force: true });
}

function pathIn(dataDirectory: string): string {
  return join(dataDirectory, 'ingress.sealed');
}
