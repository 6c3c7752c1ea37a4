// How long after a changed EndpointSlice was acknowledged a host follows it: the kernel, as `nft monitor` tells, and a name.
// On each host of a lab of three, one after the other.  node bench/propagation.ts [--changes 350]  JSON: bench/results/propagation.json
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import dnsPacket from 'dns-packet';
import { contextsPath, readContexts, selectContext } from '../src/client/contexts.ts';
import { createHttpClient } from '../src/client/http-client.ts';
import { type EndpointSlice, endpointSlices, nodes, type Service, services } from '../src/resources/kinds.ts';

const { values } = parseArgs({ options: { changes: { type: 'string', default: '350' }, inside: { type: 'string' } } });
const changes = Number(values.changes);
const name = 'probe.default.svc.cluster.local';

if (values.inside) console.log(JSON.stringify(await measure(values.inside)));
else await runInLab();

async function runInLab(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'flotilla-propagation-'));
  const bin = join(import.meta.dirname, '../bin/flotilla');
  const env = { ...process.env, FLOTILLA_CONFIG: join(work, 'config.json') };
  const flotilla = (...args: string[]) => execFileSync(bin, args, { encoding: 'utf8', env, timeout: 300_000 });
  flotilla('lab', 'down', '--name', 'propagate');
  try {
    flotilla('lab', 'up', '--name', 'propagate', '--network', '10.99.232.0/24', '--hosts', '3');
    const hosts = ['h1', 'h2', 'h3'].map((host) => {
      const words = ['env', `FLOTILLA_CONFIG=${env.FLOTILLA_CONFIG}`, process.execPath, import.meta.filename];
      const said = flotilla(
        'lab',
        'exec',
        '--name',
        'propagate',
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
    writeFileSync(join(import.meta.dirname, 'results/propagation.json'), `${JSON.stringify(report, undefined, 2)}\n`);
    console.log(JSON.stringify(report, undefined, 2));
  } finally {
    flotilla('lab', 'down', '--name', 'propagate');
    rmSync(work, { recursive: true, force: true });
  }
}

async function measure(host: string): Promise<object> {
  const { servers, caCertificate, token, grid } = selectContext(readContexts(contextsPath()), undefined);
  const client = createHttpClient({ servers, caCertificate, token, grid, userAgent: 'flotilla (bench)' });
  const podCIDR = (await client.get(nodes, { name: host })).spec.podCIDRs?.[0] ?? '';
  const gateway = podCIDR.replace(/0\/24$/, '1');
  const service = (name: string, spec: Service['spec']): Service => ({
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' } },
    spec: { ports: [{ port: 80 }], ...spec },
  });
  const slice = (name: string, address: string): EndpointSlice => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 80 }],
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  });
  for (const one of [service('probe', { clusterIP: 'None' }), service('virtual', {})]) {
    await client.create(services, one).catch(() => {});
    await client.create(endpointSlices, slice(one.metadata.name, '10.80.200.1')).catch(() => {});
  }
  const followed = async (target: string, hasCome: (address: string) => Promise<unknown>) => {
    const milliseconds: number[] = [];
    for (let change = 0; change < changes; change++) {
      const address = `10.80.${201 + (change % 2)}.${1 + (change % 250)}`;
      const coming = hasCome(address);
      await client.update(endpointSlices, slice(target, address));
      const acknowledged = performance.now();
      await coming;
      milliseconds.push(Math.max(0, performance.now() - acknowledged));
    }
    return summary(milliseconds);
  };
  const name = await followed('probe', async (address) => {
    const startMs = performance.now();
    while ((await ask(gateway)) !== address)
      if (performance.now() - startMs > 5_000) throw new Error(`${address} never came`);
  });
  const monitor = await watchRules();
  try {
    const kernel = await followed('virtual', monitor.seen);
    return { host, name, kernel };
  } finally {
    monitor.stop();
    client.close();
  }
}

/** What the kernel tells of its own changes. */
async function watchRules(): Promise<{ seen(address: string): Promise<void>; stop(): void }> {
  const child: ChildProcess = spawn('nft', ['monitor'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child, 'spawn');
  await new Promise((resolve) => setTimeout(resolve, 500));
  let wanted: { readonly text: string; readonly come: () => void } | undefined;
  let tail = ''; // what is written in one piece may come in two
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-4_096);
    if (wanted && tail.includes(wanted.text)) wanted.come();
  });
  return {
    seen: (address) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`${address} never came`)), 5_000);
        tail = '';
        wanted = {
          text: `: ${address} .`,
          come: () => {
            clearTimeout(timer);
            wanted = undefined;
            resolve();
          },
        };
      }),
    stop: () => void child.kill(),
  };
}

function summary(milliseconds: readonly number[]): object {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 10) / 10;
  const bounds = [5, 10, 20, 50, 100, 200, 500];
  const histogram = Object.fromEntries([
    ...bounds.map((bound) => [`<= ${bound} ms`, sorted.filter((one) => one <= bound).length]),
    ['all', sorted.length],
  ]);
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1), histogram };
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
