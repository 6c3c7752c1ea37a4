import type { Container, EnvVarSource } from 'kubernetes-types/core/v1.js';
import type { ConfigMap, Pod, Secret } from '../../resources/kinds.ts';
import { type WantedToken, wantedTokensOf } from './pod-tokens.ts';

/** The objects that a pod's variables and files come from, as they are now; undefined: does not exist. */
export interface PodReferences {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  /** A token of the pod's service account, as a projected volume asks for one. */
  token(wanted: WantedToken): string | undefined;
}

/** What is known only on the node. */
export interface PodFacts {
  readonly podAddresses: readonly string[];
  readonly hostAddresses: readonly string[];
  /** `https://host:port` of the server in use. */
  readonly apiServer?: string;
  /** Of services and of where the pod is; those of the container count more. */
  readonly variables?: readonly (readonly [name: string, value: string])[];
}

export interface Environment {
  readonly variables: readonly { readonly name: string; readonly value: string }[];
  /** What is referred to and does not exist, one sentence each; then the container cannot be created. */
  readonly problems: readonly string[];
}

/** Whatever a key may be called (`1A` too, as Kubernetes since 1.32): none is left out in silence. */
const variableName = /^[!-<>-~]+$/;

/** A container's variables, as Kubernetes makes them: `envFrom` first, `env` over it, `$(NAME)` of what came before. */
export function renderEnvironment(
  pod: Pod,
  container: Container,
  references: PodReferences,
  facts: PodFacts,
): Environment {
  const values = new Map<string, string>([...(facts.variables ?? []), ...apiVariables(pod, facts)]);
  const problems: string[] = [];
  for (const source of container.envFrom ?? []) {
    const reference = source.configMapRef ?? source.secretRef;
    if (!reference?.name) continue;
    const entries = source.configMapRef
      ? configEntries(references, reference.name)
      : secretEntries(references, reference.name);
    if (entries) {
      for (const [key, value] of entries) {
        const name = `${source.prefix ?? ''}${key}`;
        if (variableName.test(name)) values.set(name, value.toString('utf8'));
      }
    } else if (!reference.optional) {
      problems.push(`${source.configMapRef ? 'configmap' : 'secret'} "${reference.name}" not found`);
    }
  }
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (!valueFrom) values.set(name, expand(value ?? '', values));
    else {
      const found = sourceValue(valueFrom, pod, references, facts);
      if ('problem' in found) problems.push(found.problem);
      else if (found.value !== undefined) values.set(name, found.value);
    }
  }
  return { variables: [...values].map(([name, value]) => ({ name, value })), problems };
}

/** Where clients in the pod look for the API, when it has a token for it; its own variables of these names count more. */
function apiVariables(pod: Pod, { apiServer, hostAddresses }: PodFacts): (readonly [string, string])[] {
  if (apiServer === undefined || wantedTokensOf(pod).length === 0) return [];
  const { hostname, port } = new URL(apiServer);
  const address = hostname.replace(/^\[|\]$/g, '');
  // A server on this very host: a pod with an address of its own does not reach the host's loopback.
  const isLoopback = address.startsWith('127.') || address === '::1' || address === 'localhost';
  const host = isLoopback && !pod.spec.hostNetwork ? (hostAddresses[0] ?? address) : address;
  return [
    ['KUBERNETES_SERVICE_HOST', host],
    ['KUBERNETES_SERVICE_PORT', port || '443'],
    ['KUBERNETES_SERVICE_PORT_HTTPS', port || '443'],
  ];
}

/** `$(NAME)` → its value when known, else as it stands; `$$` → `$` (so `$$(NAME)` is literally `$(NAME)`). */
export function expand(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(/\$\$|\$\(([^)]*)\)/g, (whole, name: string | undefined) =>
    name === undefined ? '$' : (values.get(name) ?? whole),
  );
}

/** Key → bytes of a ConfigMap, text and binary. */
export function configEntries(references: PodReferences, name: string): Map<string, Buffer> | undefined {
  const found = references.configMap(name);
  if (!found) return undefined;
  const entries = new Map<string, Buffer>();
  for (const [key, text] of Object.entries(found.data ?? {})) entries.set(key, Buffer.from(text, 'utf8'));
  for (const [key, base64] of Object.entries(found.binaryData ?? {})) entries.set(key, Buffer.from(base64, 'base64'));
  return entries;
}

export function secretEntries(references: PodReferences, name: string): Map<string, Buffer> | undefined {
  const found = references.secret(name);
  if (!found) return undefined;
  return new Map(Object.entries(found.data ?? {}).map(([key, base64]) => [key, Buffer.from(base64, 'base64')]));
}

function sourceValue(
  source: EnvVarSource,
  pod: Pod,
  references: PodReferences,
  facts: PodFacts,
): { readonly value: string | undefined } | { readonly problem: string } {
  const selector = source.configMapKeyRef ?? source.secretKeyRef;
  if (selector) {
    const kind = source.configMapKeyRef ? 'configmap' : 'secret';
    const name = selector.name ?? '';
    const entries = source.configMapKeyRef ? configEntries(references, name) : secretEntries(references, name);
    const value = entries?.get(selector.key)?.toString('utf8');
    if (value !== undefined || selector.optional) return { value };
    const problem = entries ? `couldn't find key ${selector.key} in ${kind} "${name}"` : `${kind} "${name}" not found`;
    return { problem };
  }
  const path = source.fieldRef?.fieldPath ?? '';
  const field = fieldOf(path, pod, facts);
  return field === undefined ? { problem: `fieldRef ${path} is not supported` } : { value: field };
}

/** A field of the pod by its path; undefined: no such field. */
export function fieldOf(path: string, pod: Pod, facts: PodFacts): string | undefined {
  const { metadata, spec } = pod;
  const subscript = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  if (subscript) return metadata[subscript[1] as 'labels' | 'annotations']?.[subscript[2] ?? ''] ?? '';
  switch (path) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid ?? '';
    case 'metadata.labels':
      return formatMap(metadata.labels);
    case 'metadata.annotations':
      return formatMap(metadata.annotations);
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? '';
    case 'spec.nodeName':
      return spec.nodeName ?? '';
    case 'status.podIP':
      return facts.podAddresses[0] ?? '';
    case 'status.podIPs':
      return facts.podAddresses.join(',');
    case 'status.hostIP':
      return facts.hostAddresses[0] ?? '';
    case 'status.hostIPs':
      return facts.hostAddresses.join(',');
    default:
      return undefined;
  }
}

/** One `key="value"` a line, sorted, as Kubernetes writes them into files. */
function formatMap(entries: Readonly<Record<string, string>> = {}): string {
  const keys = Object.keys(entries).sort();
  return keys.map((key) => `${key}=${JSON.stringify(entries[key])}`).join('\n');
}
