import type { IngressProblem } from './applied.ts';

/** What the proxy of a node lets in, as its agent says. */
export interface IngressReport {
  readonly node: string;
  /** Why it has no proxy, or why that does not follow; one sentence. */
  readonly problem?: string;
  readonly problems: readonly IngressProblem[];
  /** What it serves now; absent: nothing. */
  readonly proxy?: ProxyReport;
}

/** Counts are since the proxy was first started. */
export interface ProxyReport {
  readonly version: string;
  /** Open ones. */
  readonly connections: number;
  readonly reloads: number;
  /** Workers that only finish their connections. */
  readonly oldWorkers: number;
  /** Sorted by host and path. */
  readonly routes: readonly RouteReport[];
  readonly hosts: readonly HostReport[];
  readonly backends: readonly BackendReport[];
  readonly certificates: readonly CertificateReport[];
}

export interface RouteReport {
  /** Absent: every host that no other route has; of a TCP port: none. */
  readonly host?: string;
  readonly path?: string;
  /** Plain TCP. */
  readonly port?: number;
  readonly backend: string;
  /** `<namespace>/<name>` */
  readonly ingress: string;
}

export interface HostReport {
  readonly host: string;
  readonly requests: number;
  readonly errors: number;
}

export interface BackendReport {
  readonly name: string;
  readonly sessions: number;
  readonly requests: number;
  readonly errors: number;
  readonly retries: number;
  /** Means, ms. */
  readonly connectMs: number;
  readonly responseMs: number;
  readonly endpoints: readonly EndpointReport[];
}

export interface EndpointReport {
  /** `address:port` */
  readonly address: string;
  /** `<namespace>/<name>` */
  readonly pod?: string;
  readonly state: 'up' | 'down' | 'leaving';
  readonly why?: string;
  readonly sessions: number;
  readonly requests: number;
}

export interface CertificateReport {
  /** `<namespace>/<Secret>` */
  readonly secret: string;
  readonly hosts: readonly string[];
  readonly issuer: string;
  /** RFC 3339 */
  readonly notAfter: string;
}
