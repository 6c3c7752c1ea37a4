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
