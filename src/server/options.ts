import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { FlotillaError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { GridIngressSpec } from '../resources/grid-ingress.ts';
import type { GridNetworkSpec } from '../resources/grid-network.ts';

/** An etcd that several servers share. */
export interface EtcdChoice {
  /** URLs of its members, all `http://` or all `https://`; the nearest first. */
  readonly etcd: readonly string[];
  /** PEM files, read at each start: whom to trust, and what to show. */
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** What `flotilla server` is told. */
export interface ServerOptions {
  /** Everything this server keeps; made when missing, for its owner only. */
  readonly dataDirectory: string;
  /** `host:port`, `[v6]:port` or `:port`; port 0: any free one. Default `0.0.0.0:7443`. */
  readonly listen?: string;
  /** URLs under which agents and people reach this server. Default: the listening address, or the machine's first one. */
  readonly advertise?: readonly string[];
  /** Names and addresses for the certificate besides the machine's own and those of `advertise`. */
  readonly hosts?: readonly string[];
  /** Default `sqlite`: a file in the data directory. */
  readonly store?: 'sqlite' | 'memory' | EtcdChoice;
  /** Default `<data>/identity`. Several servers on one etcd need the same contents. */
  readonly identityDirectory?: string;
  /** Of a new cluster: a node silent for so long is lost. Later the Grid object says so. Default 10,000. */
  readonly failoverAfterMs?: number;
  /** Of a new cluster; a later server must not say otherwise. What it leaves out has the defaults of `gridNetworkOf`. */
  readonly network?: GridNetworkSpec;
  /** Of a new cluster. What it leaves out has the defaults of `gridIngressOf`. */
  readonly ingress?: GridIngressSpec;
  /** Default `<data>/audit.log`. */
  readonly auditFile?: string;
  readonly log?: Logger;
  /** Of Flotilla, for `/version`. Default: the package's. */
  readonly version?: string;
}

export const defaultListen = '0.0.0.0:7443';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Throws BadUsage. */
export function parseListen(text: string): ListenAddress {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  if (!found || port > 65_535) {
    throw new FlotillaError('BadUsage', `listen: "${text}" is not host:port`, { hint: `Write it as ${defaultListen}` });
  }
  return { host: found[1] ?? (found[2] || '0.0.0.0'), port };
}

/** Throws BadUsage unless each is an `https://host[:port]` without a path. */
export function parseAdvertise(urls: readonly string[]): readonly string[] {
  return urls.map((text) => {
    const url = URL.parse(text);
    if (url?.protocol !== 'https:' || url.pathname !== '/' || url.search !== '') {
      throw new FlotillaError('BadUsage', `advertise: "${text}" is not an https:// URL without a path`, {
        hint: 'Write it as https://server.example:7443',
      });
    }
    return url.origin;
  });
}

/** The URL under which this machine reaches the server itself. */
export function localUrl({ host, port }: ListenAddress): string {
  if (host === '0.0.0.0') return urlOf('127.0.0.1', port);
  return urlOf(host === '::' ? '::1' : host, port);
}

/** The best guess of the URL under which others do. */
export function guessedUrl({ host, port }: ListenAddress): string {
  if (host !== '0.0.0.0' && host !== '::') return urlOf(host, port);
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const first = addresses.find((one) => one.family === 'IPv4' && !one.internal);
  return urlOf(first?.address ?? '127.0.0.1', port);
}

export function urlOf(host: string, port: number): string {
  return `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
