import { X509Certificate } from 'node:crypto';
import type { HttpClient } from '../../src/client/http-client.ts';
import { eventually } from '../../test/e2e/lab.ts';
import { selfSigned } from '../../test/integration/lossless-proxy.ts';
import { openHttp2 } from './http2-connection.ts';
import type { WireTarget } from './outcome.ts';
import { answers } from './site-answers.ts';
import { appPort, siteHost, stackName } from './world.ts';

/** A machine that is busy with other things takes its time. */
const patienceMs = 60_000;
export const nodePort = 30_080;
const ingressPath = `/apis/networking.k8s.io/v1/namespaces/${stackName}/ingresses`;
const secretPath = `/api/v1/namespaces/${stackName}/secrets`;

/** The Ingress object, its certificate, and what is changed of them. */
export function createSite(client: HttpClient, http: readonly WireTarget[], https: readonly WireTarget[]) {
  const names = [siteHost];
  const send = async (method: 'POST' | 'PUT', path: string, object: object) => {
    await client.raw({ method, path, body: JSON.stringify(object), contentType: 'application/json' });
  };
  const rule = (host: string) => ({
    host,
    http: {
      paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: appPort } } } }],
    },
  });
  const ingress = () => ({
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' },
    metadata: {
      ...{ name: 'site', namespace: stackName },
      annotations: { 'ingress.flotilla.dev/sticky': 'cookie', 'ingress.flotilla.dev/ssl-redirect': 'false' },
    },
    spec: { tls: [{ hosts: [siteHost], secretName: 'site-tls' }], rules: names.map(rule) },
  });
  const served = (host: string) =>
    eventually(
      `${host} at every proxy`,
      async () => {
        for (const target of http) if (!(await answers(target, host))) return false;
        return true;
      },
      patienceMs,
    );
  /** Writes a new one; what it gives waits until every proxy shows it. */
  const putCertificate = async (method: 'POST' | 'PUT', path: string) => {
    const { key, cert } = await selfSigned(siteHost);
    const data = { 'tls.crt': Buffer.from(cert).toString('base64'), 'tls.key': Buffer.from(key).toString('base64') };
    const metadata = { name: 'site-tls', namespace: stackName };
    await send(method, path, { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata, data });
    const { fingerprint256 } = new X509Certificate(cert);
    return () =>
      eventually(
        'the certificate at every proxy',
        async () => {
          for (const target of https) if ((await fingerprintOf(target)) !== fingerprint256) return false;
          return true;
        },
        patienceMs,
      );
  };
  return {
    async start() {
      const shown = await putCertificate('POST', secretPath);
      await send('POST', ingressPath, ingress());
      await served(siteHost);
      await shown();
    },
    async renewCertificate() {
      const shown = await putCertificate('PUT', `${secretPath}/site-tls`);
      await shown();
    },
    async addHost(host: string) {
      names.push(host);
      await send('PUT', `${ingressPath}/site`, ingress());
      await served(host);
    },
    /** A port more to listen on, which no HAProxy can take without reading its file anew. */
    async reload(round: number) {
      const port = 9_000 + round;
      await send('POST', ingressPath, {
        ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' },
        metadata: {
          ...{ name: `tcp-${port}`, namespace: stackName },
          annotations: { 'ingress.flotilla.dev/tcp-port': String(port) },
        },
        spec: { defaultBackend: { service: { name: 'web', port: { number: appPort } } } },
      });
      await eventually(`port ${port} at every proxy`, async () => {
        for (const { address } of http) if (!(await answers({ address, port }, siteHost))) return false;
        return true;
      });
    },
  };
}

/** The same application at a port of every node, plain TCP. */
export async function makeNodePort(client: HttpClient, targets: readonly WireTarget[]): Promise<void> {
  const service = {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'outside', namespace: stackName } },
    spec: {
      type: 'NodePort',
      selector: { 'flotilla.dev/stack': stackName, 'flotilla.dev/service': 'web' },
      ports: [{ port: appPort, nodePort }],
    },
  };
  const path = `/api/v1/namespaces/${stackName}/services`;
  await client.raw({ method: 'POST', path, body: JSON.stringify(service), contentType: 'application/json' });
  await eventually('the node port on every host', async () => {
    for (const target of targets) if (!(await answers(target, siteHost))) return false;
    return true;
  });
}

async function fingerprintOf(target: WireTarget): Promise<string> {
  let fingerprint = 'none';
  const connection = await openHttp2({
    target,
    serverName: siteHost,
    onCertificate: (found) => {
      fingerprint = found;
    },
  });
  if ('send' in connection) connection.close();
  return fingerprint;
}
