const prefix = 'system:serviceaccount:';
const allGroup = 'system:serviceaccounts';
export const authenticatedGroup = 'system:authenticated';

/** `system:serviceaccount:<namespace>:<name>`. */
export function serviceAccountUser(namespace: string, name: string): string {
  return `${prefix}${namespace}:${name}`;
}

/** The other way round; undefined for users that are no service account. */
export function parseServiceAccountUser(
  user: string,
): { readonly namespace: string; readonly name: string } | undefined {
  if (!user.startsWith(prefix)) return undefined;
  const [namespace, name, ...rest] = user.slice(prefix.length).split(':');
  return namespace && name && rest.length === 0 ? { namespace, name } : undefined;
}

/** The groups of every service account of a namespace. */
export function serviceAccountGroups(namespace: string): readonly string[] {
  return [allGroup, `${allGroup}:${namespace}`, authenticatedGroup];
}
