import { defaultGrid, systemGrid } from '../../resources/names.ts';

/** Namespaces that every cluster has: where people begin, and for leases and the like of Flotilla itself. */
export const permanentNamespaces: Readonly<Record<string, readonly string[]>> = {
  [defaultGrid]: ['default', 'flotilla-system'],
  [systemGrid]: ['flotilla-system'],
};
