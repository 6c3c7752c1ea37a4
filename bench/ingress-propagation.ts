// How long after a changed EndpointSlice was acknowledged every proxy of a lab of three sends requests to the new endpoint, and to it
// alone.   node bench/ingress-propagation.ts [--changes 300] [--octet 127]     JSON: bench/results/ingress-propagation.json
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type EndpointSlice, endpointSlices, services } from '../src/resources/kinds.ts';
import { clientOf } from '../test/e2e/invariants.ts';
import { eventually, startLab } from '../test/e2e/lab.ts';
import { Histogram } from './lossless/histogram.ts';
import { openHttp1 } from './lossless/http1-connection.ts';
import type { WireConnection, WireTarget } from './lossless/outcome.ts';

const { values } = parseArgs({
  options: { changes: { type: 'string', default: '300' }, octet: { type: 'string', default: '127' } },
});
const changes = Number(values.changes);
const host = 'probe.test';
const [firstPort, secondPort] = [19_001, 19_002];
const namespace = 'default';
const loadBefore = loadavg()[0];

const lab = await startLab({ name: 'ingressp', octet: Number(values.octet) });
const client = clientOf(lab);
/** On the machine itself, to which the hosts of the lab have a link. */
const address = `${lab.prefix}.253`;
const instances = [firstPort, secondPort].map((port) =>
  createServer((_, response) => response.end(String(port))).listen(port, address),
);

const slice = (port: number): EndpointSlice => ({
  ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
  metadata: { name: 'probe-1', namespace, labels: { 'kubernetes.io/service-name': 'probe' } },
  addressType: 'IPv4',
  ports: [{ name: '', port }],
  endpoints: [{ addresses: [address], conditions: { ready: true } }],
});

/** A client of one proxy that asks again as soon as it has an answer. */
class Asker {
  readonly #target: WireTarget;
  #connection: WireConnection | undefined;

  constructor(target: WireTarget) {
    this.#target = target;
  }

  /** Which instance answers; undefined: none does. */
  async ask(): Promise<number | undefined> {
    if (!this.#connection?.isUsable()) {
      const opened = await openHttp1(this.#target);
      if (!('send' in opened)) return undefined;
      this.#connection = opened;
    }
    const outcome = await this.#connection.send({ id: 'probe', path: '/', host, timeoutMs: 5_000 });
    return 'status' in outcome && outcome.status === 200 ? Number(outcome.body) : undefined;
  }

  close(): void {
    this.#connection?.close();
  }
}

try {
  await Promise.all(instances.filter((one) => !one.listening).map((one) => once(one, 'listening')));
  const metadata = { name: 'probe', namespace };
  await client.create(services, {
    ...{ apiVersion: 'v1', kind: 'Service', metadata },
    spec: { ports: [{ port: 80, targetPort: firstPort }] },
  });
  await client.create(endpointSlices, slice(firstPort));
  const paths = [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'probe', port: { number: 80 } } } }];
  const ingress = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata,
    spec: { rules: [{ host, http: { paths } }] },
  };
  const path = `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses`;
  await client.raw({ method: 'POST', path, body: JSON.stringify(ingress), contentType: 'application/json' });
  const askers = [1, 2, 3].map((last) => new Asker({ address: `${lab.prefix}.${last}`, port: 80 }));
  for (const asker of askers) await eventually('every proxy', async () => (await asker.ask()) === firstPort);

  const [all, each] = [new Histogram(), new Histogram()];
  let wentBack = 0;
  for (let change = 0; change < changes; change++) {
    const wanted = change % 2 === 0 ? secondPort : firstPort;
    await client.update(endpointSlices, slice(wanted));
    const acknowledged = performance.now();
    const milliseconds = await Promise.all(
      askers.map(async (asker) => {
        while ((await asker.ask()) !== wanted)
          if (performance.now() - acknowledged > 10_000) throw new Error(`${wanted} never answered`);
        return performance.now() - acknowledged;
      }),
    );
    for (const ms of milliseconds) each.add(ms);
    all.add(Math.max(...milliseconds));
    for (const asker of askers) if ((await asker.ask()) !== wanted) wentBack++;
  }
  for (const asker of askers) asker.close();
  const report = {
    ...{ at: new Date().toISOString(), node: process.version, loadBefore, changes, proxies: askers.length },
    ...{ allProxies: all.summary(), eachProxy: each.summary(), answersOfTheFormerInstanceAfterwards: wentBack },
  };
  mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
  writeFileSync(
    join(import.meta.dirname, 'results/ingress-propagation.json'),
    `${JSON.stringify(report, undefined, 2)}\n`,
  );
  console.log(JSON.stringify(report, undefined, 2));
} finally {
  for (const instance of instances) {
    instance.close();
    instance.closeAllConnections();
  }
  client.close();
  await lab.down();
}
