// How long after a change was acknowledged a name answers it, on each host of a lab of three.
// node bench/names.ts [--changes 200]     JSON: bench/results/names.json
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import dnsPacket from 'dns-packet';
import { contextsPath, readContexts, selectContext } from '../src/client/contexts.ts';
import { createHttpClient } from '../src/client/http-client.ts';
import { type EndpointSlice, endpointSlices, nodes, type Service, services } from '../src/resources/kinds.ts';

const { values } = parseArgs({ options: { changes: { type: 'string', default: '200' }, inside: { type: 'string' } } });
const changes = Number(values.changes);
const name = 'probe.default.svc.cluster.local';

if (values.inside) console.log(JSON.stringify(await measure(values.inside)));
else await runInLab();

async function runInLab(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'flotilla-names-'));
  const bin = join(import.meta.dirname, '../bin/flotilla');
  const env = { ...process.env, FLOTILLA_CONFIG: join(work, 'config.json') };
  const flotilla = (...args: string[]) => execFileSync(bin, args, { encoding: 'utf8', env, timeout: 300_000 });
  flotilla('lab', 'down', '--name', 'names');
  try {
    flotilla('lab', 'up', '--name', 'names', '--network', '10.99.232.0/24', '--hosts', '3');
    const hosts = ['h1', 'h2', 'h3'].map((host) => {
      const words = ['env', `FLOTILLA_CONFIG=${env.FLOTILLA_CONFIG}`, process.execPath, import.meta.filename];
      const said = flotilla(
        'lab',
        'exec',
        '--name',
        'names',
        host,
        '--',
        ...words,
        '--inside',
        host,
        '--changes',
        String(changes),
      );
      return JSON.parse(said) as object;
    });
    const report = { at: new Date().toISOString(), node: process.version, changes, hosts };
    mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
    writeFileSync(join(import.meta.dirname, 'results/names.json'), `${JSON.stringify(report, undefined, 2)}\n`);
    console.log(JSON.stringify(report, undefined, 2));
  } finally {
    flotilla('lab', 'down', '--name', 'names');
    rmSync(work, { recursive: true, force: true });
  }
}

async function measure(host: string): Promise<object> {
  const { servers, caCertificate, token, grid } = selectContext(readContexts(contextsPath()), undefined);
  const client = createHttpClient({ servers, caCertificate, token, grid, userAgent: 'flotilla (bench)' });
  const podCIDR = (await client.get(nodes, { name: host })).spec.podCIDRs?.[0] ?? '';
  const gateway = podCIDR.replace(/0\/24$/, '1');
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'probe', namespace: 'default' },
    spec: { clusterIP: 'None' },
  };
  const slice = (address: string): EndpointSlice => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'probe-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'probe' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  });
  await client.create(services, service).catch(() => {});
  await client.create(endpointSlices, slice('10.80.200.1')).catch(() => {});
  const milliseconds: number[] = [];
  for (let change = 0; change < changes; change++) {
    const address = `10.80.${201 + (change % 2)}.${1 + (change % 250)}`;
    await client.update(endpointSlices, slice(address));
    const acknowledged = performance.now();
    while ((await ask(gateway)) !== address)
      if (performance.now() - acknowledged > 5_000) throw new Error(`${address} never came`);
    milliseconds.push(performance.now() - acknowledged);
  }
  client.close();
  const sorted = milliseconds.sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 10) / 10;
  return { host, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

function ask(server: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (answer: string | undefined) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => end(undefined), 1_000);
    socket.on('error', () => end(undefined));
    socket.on('message', (packet) => {
      const [answer] = dnsPacket.decode(packet).answers ?? [];
      end(answer?.type === 'A' ? answer.data : undefined);
    });
    socket.send(dnsPacket.encode({ type: 'query', id: 1, questions: [{ type: 'A', name }] }), 53, server);
  });
}
