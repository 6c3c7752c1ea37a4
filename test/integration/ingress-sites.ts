// Ingress objects as users write them, what a node makes of them, a HAProxy that does it, and applications behind it.
import assert from 'node:assert/strict';
import type { Server as HttpServer, RequestListener } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import type { IngressEndpoint, IngressOutcome } from '../../src/adapters/ingress/port.ts';
import { IngressCompiler } from '../../src/agent/ingress/ingress-compiler.ts';
import { objectProblems } from '../../src/agent/ingress/object-problems.ts';
import { ingressOptionErrors, optionPrefix } from '../../src/resources/ingress-options.ts';
import type { EndpointSlice, Ingress, Secret, Service } from '../../src/resources/kinds.ts';
import { type Answer, type AskOptions, type HaproxyHost, openHaproxy } from './haproxy-host.ts';

export interface Site {
  /** Its host, and that of nobody else. */
  readonly host: string;
  /** Of its Ingress object. */
  readonly key: string;
  ask(options?: AskOptions): Promise<Answer>;
}

export interface SiteOptions {
  /** Who is behind it. Default: instances 1 to 3. */
  readonly endpoints?: readonly IngressEndpoint[];
  readonly path?: string;
  /** The Secret in `spec.tls`. */
  readonly tls?: string;
  /** Instead of its host: everything goes to the default backend. */
  readonly isDefault?: boolean;
}

export interface IngressSites {
  readonly proxy: HaproxyHost;
  /** An Ingress object that admission takes, with these options; served from the next `apply` on. */
  site(options: Readonly<Record<string, string>>, more?: SiteOptions): Site;
  secret(name: string, type: string, data: Readonly<Record<string, string>>): void;
  /** An application that is ended with all of this. */
  app(answer: RequestListener): Promise<IngressEndpoint>;
  /** The same for a server that is made elsewhere. */
  listen(server: Server): Promise<IngressEndpoint>;
  /** What is ended with all of this besides. */
  endsWith(end: () => Promise<unknown>): void;
  apply(): Promise<IngressOutcome>;
  /** What the node tells of an Ingress object since the last `apply`. */
  problemOf(site: Site): string | undefined;
  close(): Promise<void>;
}

const namespace = 'shop';

export async function openIngressSites(): Promise<IngressSites> {
  const proxy = await openHaproxy();
  const compiler = new IngressCompiler(proxy.settings);
  const servers: Server[] = [];
  const ends: (() => Promise<unknown>)[] = [];
  let refused: ReadonlyMap<string, string> = new Map();
  let count = 0;

  const listen = async (server: Server): Promise<IngressEndpoint> => {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    return { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
  };
  return {
    proxy,
    listen,
    app: (answer) => listen(createServer(answer)),
    site(options, { endpoints = [1, 2, 3].map(proxy.instance), path = '/', tls, isDefault = false } = {}) {
      const name = `site-${++count}`;
      const host = `${name}.test`;
      const key = `${namespace}/${name}`;
      const backend = { service: { name, port: { number: 80 } } };
      const ingress: Ingress = {
        ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' },
        metadata: {
          ...{ name, namespace },
          annotations: Object.fromEntries(
            Object.entries(options).map(([option, text]) => [optionPrefix + option, text]),
          ),
        },
        spec: {
          ingressClassName: 'flotilla',
          ...(isDefault
            ? { defaultBackend: backend }
            : { rules: [{ host, http: { paths: [{ path, pathType: 'Prefix', backend }] } }] }),
          ...(tls === undefined ? {} : { tls: [{ hosts: [host], secretName: tls }] }),
        },
      };
      assert.deepEqual([...ingressOptionErrors(ingress)], []);
      compiler.setIngress(key, ingress);
      compiler.setService(key, serviceOf(name));
      for (const [at, endpoint] of endpoints.entries()) {
        compiler.setSlice(`${key}-${at}`, sliceOf(name, at, endpoint));
      }
      return { host, key, ask: (asked) => proxy.ask(host, asked) };
    },
    secret(name, type, data) {
      const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
      const secret: Secret = { apiVersion: 'v1', kind: 'Secret', type, metadata: { name, namespace } };
      compiler.setSecret(`${namespace}/${name}`, { ...secret, data: Object.fromEntries(encoded) });
    },
    async apply() {
      const outcome = await proxy.proxy.apply(compiler.state);
      refused = outcome.problems;
      return outcome;
    },
    problemOf({ key }) {
      const compiled = compiler.problems;
      const told = objectProblems({ compiled, refused, ingressesOf: (one) => compiler.ingressesOf(one) });
      return told.find(({ ingress }) => ingress === key)?.message;
    },
    endsWith: (end) => void ends.push(end),
    async close() {
      await proxy.close();
      await Promise.all(ends.map((end) => end()));
      for (const server of servers) {
        server.close();
        (server as Partial<HttpServer>).closeAllConnections?.();
      }
    },
  };
}

function serviceOf(name: string): Service {
  const metadata = { name, namespace, uid: `uid-of-${name}` };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ name: 'http', port: 80 }] } };
}

/** Instances of one loopback differ in their ports: a slice for each. */
function sliceOf(name: string, at: number, { address, port }: IngressEndpoint): EndpointSlice {
  const labels = { 'kubernetes.io/service-name': name };
  return {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    metadata: { name: `${name}-${at}`, namespace, labels },
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: 'http', port }],
  };
}
