import type { BackendOptions, RouteOptions } from '../../adapters/ingress/port.ts';
import { type IngressOptions, ingressOptionsOf } from '../../resources/ingress-options.ts';
import type { Ingress } from '../../resources/kinds.ts';

/** What the options of an Ingress object ask for, before what they name has been looked up. */
export interface IngressWishes {
  readonly route: Omit<RouteOptions, 'basicAuth'>;
  readonly backend: Omit<BackendOptions, 'cookie'>;
  /** Each client stays with its instance by a cookie of this name. */
  readonly cookieName?: string;
  readonly basicAuth?: { readonly secretName: string; readonly realm: string };
  /** Plain TCP on this port, to the default backend. */
  readonly tcpPort?: number;
  /** TLS is not ended here. */
  readonly passesTls?: boolean;
}

/** The same for objects that say the same. Options that admission would refuse are as if they were not there. */
export function wishesOf(ingress: Ingress): IngressWishes {
  const asked = ingressOptionsOf(ingress);
  const { sslRedirect, backendProtocol, maxConnections, proxyProtocol, balance } = asked;
  const healthCheck = healthCheckOf(asked);
  const balanced = asked.sticky === 'source' ? asked.sticky : balance;
  return {
    route: {
      ...pick(asked, 'rewritePath', 'allow', 'deny', 'maxBodyBytes', 'hstsSeconds', 'maintenancePage'),
      ...pick(asked, 'setRequestHeaders', 'removeRequestHeaders', 'setResponseHeaders', 'removeResponseHeaders'),
      ...(sslRedirect === undefined ? {} : { redirectsToHttps: sslRedirect }),
    },
    backend: {
      ...pick(asked, 'connectTimeoutMs', 'serverTimeoutMs', 'tunnelTimeoutMs', 'retries'),
      ...(balanced === undefined ? {} : { balance: balanced }),
      ...(backendProtocol === undefined ? {} : { protocol: backendProtocol }),
      ...(healthCheck === undefined ? {} : { healthCheck }),
      ...(maxConnections === undefined ? {} : { maxConnectionsPerEndpoint: maxConnections }),
      ...(proxyProtocol === undefined ? {} : { sendsProxyProtocol: proxyProtocol }),
    },
    ...(asked.sticky === 'cookie' ? { cookieName: asked.stickyCookieName ?? 'flotilla' } : {}),
    ...(asked.basicAuthSecret === undefined
      ? {}
      : { basicAuth: { secretName: asked.basicAuthSecret, realm: asked.basicAuthRealm ?? 'Restricted' } }),
    ...(asked.tcpPort === undefined ? {} : { tcpPort: asked.tcpPort }),
    ...(asked.tlsPassthrough ? { passesTls: true } : {}),
  };
}

function healthCheckOf(asked: IngressOptions): BackendOptions['healthCheck'] {
  const {
    healthCheckPath: path,
    healthCheckIntervalMs: intervalMs,
    healthCheckTimeoutMs: timeoutMs = intervalMs,
  } = asked;
  const { healthCheckFall: fall, healthCheckRise: rise, healthCheck: type } = asked;
  const more = {
    ...(path === undefined ? {} : { path }),
    ...(intervalMs === undefined ? {} : { intervalMs }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(fall === undefined ? {} : { fall }),
    ...(rise === undefined ? {} : { rise }),
  };
  return type === undefined && Object.keys(more).length === 0 ? undefined : { type: type ?? 'tcp', ...more };
}

/** Those of `keys` that are there. */
function pick<T extends object, K extends keyof T>(from: T, ...keys: readonly K[]): { [P in K]?: T[P] & {} } {
  const found: { [P in K]?: T[P] & {} } = {};
  for (const key of keys) {
    const value = from[key];
    if (value !== undefined && value !== null) found[key] = value;
  }
  return found;
}
