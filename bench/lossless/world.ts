import type { WireTarget } from './outcome.ts';
import type { Phase } from './run-phases.ts';

/** A cluster that serves the application and can be changed: Flotilla, or the peer. */
export interface World {
  readonly name: string;
  /** Proxies, or ports of nodes; of the same hosts in the same order. */
  readonly http: readonly WireTarget[];
  /** Empty: HTTP/1.1 only. */
  readonly https: readonly WireTarget[];
  readonly host: string;
  /** Each named thing once a round; those that this cluster has. */
  readonly phases: Readonly<Partial<Record<PhaseName, Phase['round']>>>;
  /** What nobody has planned; each leaves the cluster whole again, and says when it strikes. */
  readonly faults: Readonly<Partial<Record<FaultName, (strikes: () => void) => Promise<void>>>>;
  down(): Promise<void>;
}

export const phaseNames = [
  'rolling updates',
  'scale-ups and -downs',
  'drains',
  'certificate renewals',
  'new host names',
  'reloads',
  'agent restarts',
  'server restarts',
  'label edits',
] as const;
export type PhaseName = (typeof phaseNames)[number];

export const faultNames = ['kill -9 of an instance', 'kill -9 of a proxy', 'power-off of a host'] as const;
export type FaultName = (typeof faultNames)[number];

export interface WorldOptions {
  /** Of the lab. */
  readonly name: string;
  /** Third octet of 10.99.x.0/24. */
  readonly octet: number;
  readonly instances: number;
  /** `die`: the application ends at once when it is told to. */
  readonly onTerm: 'close' | 'die';
  /** As host:port; where instances have written down what they did. */
  readonly collector: (address: string) => Promise<string>;
  readonly log: (line: string) => void;
}

export const hosts = ['h1', 'h2', 'h3'] as const;
/** Load goes to the proxies of these. */
export const entryHosts = [1, 2] as const;
/** And its namespace. */
export const stackName = 'lossless';
export const siteHost = 'web.lossless.test';
export const image = 'node:24-alpine';
export const appPort = 8080;
/** Asked in the container. Debian's static busybox crashes in `wget -T`; the check has a time-out of its own. */
export const healthCheck = ['wget', '-q', '-O', '/dev/null', `http://127.0.0.1:${appPort}/up`];
