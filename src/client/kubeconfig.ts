import { parse, stringify } from 'yaml';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import type { Context } from './contexts.ts';

/** kubectl's own configuration file, with what we write and whatever else stands in it. */
export interface Kubeconfig {
  apiVersion: string;
  kind: string;
  clusters: Named<'cluster', Record<string, unknown>>[];
  users: Named<'user', Record<string, unknown>>[];
  contexts: Named<'context', Record<string, unknown>>[];
  'current-context': string;
  [other: string]: unknown;
}

type Named<Key extends string, T> = { name: string } & Record<Key, T>;

/** What kubectl needs to speak with the first server of a context. Its names start with `flotilla-`. */
export function kubeconfigOf(context: Context): Kubeconfig {
  const name = `flotilla-${context.name}`;
  const server = `${context.servers[0] ?? ''}/grids/${encodeURIComponent(context.grid)}`;
  const ca = Buffer.from(context.caCertificate).toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': ca } }],
    users: [{ name, user: { token: context.token } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: 'default' } }],
    'current-context': name,
  };
}

/** `added`'s entries put into `existing`, replacing those of the same names; anything else is kept. */
export function mergeKubeconfig(existing: Kubeconfig, added: Kubeconfig): Kubeconfig {
  return {
    ...existing,
    clusters: mergeNamed(existing.clusters, added.clusters),
    users: mergeNamed(existing.users, added.users),
    contexts: mergeNamed(existing.contexts, added.contexts),
    'current-context': added['current-context'],
  };
}

function mergeNamed<T extends { name: string }>(existing: readonly T[], added: readonly T[]): T[] {
  const names = new Set(added.map((one) => one.name));
  return [...existing.filter((one) => !names.has(one.name)), ...added];
}

/** Throws BadFile when the text is no kubeconfig. */
export function parseKubeconfig(text: string, path: string): Kubeconfig {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new FlotillaError('BadFile', `${path}: ${messageOf(error)}`);
  }
  const file = (value ?? {}) as Partial<Kubeconfig>;
  const lists = [file.clusters ?? [], file.users ?? [], file.contexts ?? []];
  if (typeof value === 'string' || Array.isArray(value) || !lists.every(Array.isArray)) {
    throw new FlotillaError('BadFile', `${path} is no kubeconfig`);
  }
  return {
    ...file,
    apiVersion: file.apiVersion ?? 'v1',
    kind: file.kind ?? 'Config',
    clusters: file.clusters ?? [],
    users: file.users ?? [],
    contexts: file.contexts ?? [],
    'current-context': file['current-context'] ?? '',
  };
}

export function renderKubeconfig(file: Kubeconfig): string {
  return stringify(file, { lineWidth: 0 });
}
