import type { IngressBackend } from 'kubernetes-types/networking/v1.js';
import { ingressOptionsOf } from './ingress-options.ts';
import type { Ingress } from './kinds.ts';

/** Stands for every host that no rule names. */
export const anyHost = '*';

/** Hosts whose requests it takes, each once, in its order; none for plain TCP. */
export function hostsOf(ingress: Ingress): readonly string[] {
  if (ingressOptionsOf(ingress).tcpPort !== undefined) return [];
  const { rules = [], defaultBackend } = ingress.spec;
  const hosts = rules.map(({ host }) => host || anyHost);
  // With hosts the default backend is theirs; without any it is everybody's.
  if (rules.length === 0 && defaultBackend) hosts.push(anyHost);
  return [...new Set(hosts)];
}

/** Every backend with where it stands. */
export function backendsOf({ spec }: Ingress): readonly { readonly path: string; readonly backend: IngressBackend }[] {
  return [
    ...(spec.defaultBackend ? [{ path: 'spec.defaultBackend', backend: spec.defaultBackend }] : []),
    ...(spec.rules ?? []).flatMap(({ http }, rule) =>
      (http?.paths ?? []).map(({ backend }, path) => ({
        path: `spec.rules[${rule}].http.paths[${path}].backend`,
        backend,
      })),
    ),
  ];
}

export const ingressConditions = {
  /** By the ingress controller. True: the ingress nodes let requests in as it says; False: not all of it, and why. */
  served: 'flotilla.dev/Served',
} as const;
