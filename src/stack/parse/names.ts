import { objectName } from '../object-names.ts';
import type { Problems } from './problems.ts';
import type { Source } from './source.ts';

/** A DNS label (RFC 1123), as names of objects must be: lower-case letters, digits, `-` inside; at most 63. */
export function isObjectName(text: string): boolean {
  return text.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text);
}

/** A DNS label that begins with a letter (RFC 1035), as names of Service objects must be. */
export function isServiceName(text: string): boolean {
  return isObjectName(text) && /^[a-z]/.test(text);
}

/** The nearest text that is a name: `My_App` → `my-app`. */
export function toName(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 63)
    .replace(/-+$/, '');
  return name === '' ? 'app' : name;
}

/** Namespaces that are not for stacks. */
export const reservedNames: ReadonlySet<string> = new Set([
  'default',
  'flotilla-system',
  'kube-node-lease',
  'kube-public',
  'kube-system',
]);

/** What Compose allows as a key of volumes, secrets and configs, with something in it that a DNS name keeps. */
export function isComposeName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text);
}

/** `my_data` and `my-data` would become one object. */
export function reportSameNames(problems: Problems, source: Source | undefined, what: string): void {
  const seen = new Map<string, string>();
  for (const [name, { at }] of source?.type === 'map' ? source.entries : []) {
    const first = seen.get(objectName(name));
    if (first !== undefined)
      problems.add(at, `${what} "${first}" and "${name}" would have the same name`, 'rename one of them');
    seen.set(objectName(name), name);
  }
}
