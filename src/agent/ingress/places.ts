import type { IngressRoute, TcpListener } from '../../adapters/ingress/port.ts';
import type { CompiledIngress } from './compile-ingress.ts';

/** Where only one Ingress object can be: a path of a host, a TCP port, the TLS of a host. */
export function placesOf({ routes, listeners }: Pick<CompiledIngress, 'routes' | 'listeners'>): string[] {
  return [...new Set([...routes.map(routePlace), ...listeners.flatMap(listenerPlaces)])];
}

export function routePlace({ host = '', pathType, path }: Pick<IngressRoute, 'host' | 'path' | 'pathType'>): string {
  // A prefix goes by elements: /a and /a/ are one.
  return `${host} ${pathType} ${pathType === 'Prefix' && path !== '/' ? path.replace(/\/+$/, '') : path}`;
}

/** Every path of every host that nobody has. */
export const anyHostPlace = routePlace({ path: '/', pathType: 'Prefix' });

export function listenerPlaces({ port, serverNames }: TcpListener): string[] {
  return serverNames ? serverNames.map((name) => `tls ${name}`) : [`tcp ${port}`];
}

export function routeText({ host, path }: IngressRoute): string {
  return `path ${path} of ${host === undefined ? 'every host' : `host ${host}`}`;
}

export function listenerText({ port, serverNames }: TcpListener): string {
  return serverNames ? `TLS of host ${serverNames.join(', ')}` : `port ${port}`;
}
