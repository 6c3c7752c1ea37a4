// Three servers on an etcd of three members, all of them processes: what a client sees, and what the store's history says,
// while leaders stop, die and stand still, and while the etcd has no majority.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isApiError } from '../../src/client/api-error.ts';
import type { HttpClient } from '../../src/client/http-client.ts';
import { startInformer } from '../../src/client/informer.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { newKeyPem } from '../../src/lib/x509/new-key.ts';
import { ApiError } from '../../src/resources/api-error.ts';
import {
  type ConfigMap,
  configMaps,
  type Node,
  nodes,
  type Pod,
  pods,
  type Service,
  services,
  type Token,
  tokens,
} from '../../src/resources/kinds.ts';
import { joinCluster } from '../../src/tunnel/join.ts';
import { connectLiveness } from '../../src/tunnel/liveness.ts';
import { foreignBindings, readBinderHistory } from './binder-history.ts';
import { type EtcdCluster, startEtcdCluster } from './etcd-cluster.ts';
import { type ServerProcesses, startServerProcesses } from './server-processes.ts';
import { until } from './until.ts';

const isMissing = spawnSync('etcd', ['--version']).error !== undefined;
if (isMissing && process.env.CI) throw new Error('etcd is missing: apt-get install etcd-server');
const all = [0, 1, 2];

if (isMissing) it('several servers', { skip: 'etcd is missing: apt-get install etcd-server' }, () => {});
else {
  describe('several servers', { timeout: 240_000 }, () => {
    let etcd: EtcdCluster;
    let servers: ServerProcesses;
    let admin: HttpClient;
    const alive: { stop(): Promise<void> }[] = [];
    /** Each list of servers that an agent was told. */
    const told: (readonly string[])[] = [];

    before(async () => {
      etcd = await startEtcdCluster({ tls: true });
      const { directory, endpoints } = etcd;
      servers = await startServerProcesses({
        directory,
        count: 3,
        argv: [
          ...endpoints.flatMap((url) => ['--store', url]),
          ...['--store-ca', `${directory}/ca.crt`, '--store-cert', `${directory}/client.crt`],
          ...['--store-key', `${directory}/client.key`, '--failover-after', '10m'],
        ],
      });
      admin = servers.client(all);
      for (const name of ['n1', 'n2']) alive.push(await joinNode(admin, servers, name, (list) => told.push(list)));
    });
    after(async () => {
      await Promise.all(alive.map((one) => one.stop()));
      await servers?.stop();
      await etcd?.stop();
    });

    it('two that give addresses at once never give one twice', async () => {
      const [one, other] = [servers.client([0]), servers.client([1])];
      const outcomes = (promises: readonly Promise<unknown>[]) =>
        Promise.all(
          promises.map((promise) =>
            promise.then(
              () => 'made',
              (error: unknown) => (error instanceof ApiError ? `${error.status.code} ${error.message}` : String(error)),
            ),
          ),
        );
      for (let round = 0; round < 10; round++) {
        const clusterIP = `10.96.0.${50 + round}`;
        const nodePort = 30_100 + round;
        const answers = await outcomes([
          one.create(services, service(`ip-a-${round}`, { clusterIP })),
          other.create(services, service(`ip-b-${round}`, { clusterIP })),
          one.create(services, service(`port-a-${round}`, { type: 'NodePort', ports: [{ port: 80, nodePort }] })),
          other.create(services, service(`port-b-${round}`, { type: 'NodePort', ports: [{ port: 80, nodePort }] })),
        ]);
        for (const [pair, words] of [
          [answers.slice(0, 2), /^422 .*provided IP is already allocated$/],
          [answers.slice(2), /^422 .*provided port is already allocated$/],
        ] as const) {
          const refused = pair.filter((answer) => answer !== 'made');
          assert.equal(refused.length, 1, JSON.stringify(pair));
          assert.match(refused[0] ?? '', words);
        }
      }
      const many = Array.from({ length: 60 }, (_, at) =>
        (at % 2 ? one : other).create(services, service(`many-${at}`, { type: 'NodePort' })),
      );
      const made = await Promise.all(many);
      const { items } = await servers.client([2]).list(services, { namespace: 'default' });
      const ips = items.flatMap((item) => (item.spec.clusterIP === 'None' ? [] : [item.spec.clusterIP]));
      const ports = items.flatMap((item) => item.spec.ports?.flatMap((port) => port.nodePort ?? []) ?? []);
      assert.deepEqual([new Set(ips).size, new Set(ports).size], [ips.length, ports.length]);
      assert.ok(ips.length >= 80 && ports.length >= 70, `${ips.length} addresses, ${ports.length} ports`);
      await Promise.all(made.map((item) => one.delete(services, { namespace: 'default', name: item.metadata.name })));
    });

    it('what one has acknowledged, every other answers, and time never goes back', async () => {
      const clients = all.map((server) => servers.client([server]));
      let newest = 0;
      for (let i = 0; i < 30; i++) {
        const [writer, reader] = [clients[i % 3]!, clients[(i + 1) % 3]!];
        const made = await writer.create(configMaps, configMap(`fresh-${i}`));
        const read = await reader.get(configMaps, { namespace: 'default', name: `fresh-${i}` });
        assert.equal(read.metadata.resourceVersion, made.metadata.resourceVersion);
        const listed = await clients[(i + 2) % 3]!.list(configMaps, { namespace: 'default' });
        assert.ok(listed.items.some((one) => one.metadata.name === `fresh-${i}`));
        assert.ok(Number(listed.resourceVersion) >= newest, `${listed.resourceVersion} after ${newest}`);
        newest = Number(listed.resourceVersion);
        // At least as new as what another server said, or a wait.
        const atLeast = await clients[i % 3]!.list(configMaps, { resourceVersion: listed.resourceVersion });
        assert.ok(Number(atLeast.resourceVersion) >= newest);
      }
      const future = String(newest + 1_000_000);
      const startMs = performance.now();
      await assert.rejects(clients[0]!.list(configMaps, { resourceVersion: future }), (error) => {
        assert.ok(error instanceof ApiError);
        assert.deepEqual([error.status.code, error.status.reason], [504, 'Timeout']);
        assert.match(error.message, /Too large resource version: \d+, current: \d+/);
        return true;
      });
      assert.ok(performance.now() - startMs < 8_000);
    });

    it('an informer loses no event and sees none twice while each server dies in turn', async () => {
      const seen: string[] = [];
      const versions: number[] = [];
      const informer = startInformer({
        client: servers.client(all),
        kind: configMaps,
        namespace: 'default',
        labelSelector: 'of=informer',
        onAdd: (one) => {
          seen.push(one.metadata.name);
          versions.push(Number(one.metadata.resourceVersion));
        },
      });
      await informer.synced;
      const writer = servers.client(all);
      const made: string[] = [];
      let isOver = false;
      const writing = (async () => {
        for (let i = 0; !isOver; i++) {
          const one = configMap(`seen-${i}`, { of: 'informer' });
          await persistently(() => writer.create(configMaps, one));
          made.push(`seen-${i}`);
          await delay(20);
        }
      })();
      for (const server of all) {
        await delay(500);
        servers.signal(server, 'SIGKILL');
        await servers.ended(server);
        await delay(1_000);
        await servers.start(server);
      }
      isOver = true;
      await writing;
      await until('all to be seen', () => seen.length >= made.length);
      assert.deepEqual(seen, made);
      assert.deepEqual(
        versions,
        versions.toSorted((a, b) => a - b),
      );
      await informer.stop();
    });

    it('a clean stop hands over within half a second', async () => {
      const leader = await servers.leader();
      servers.signal(leader, 'SIGTERM');
      await servers.ended(leader);
      const next = await servers.leader();
      assert.notEqual(next, leader);
      const [stopped, started] = await Promise.all([
        lastTime(servers, leader, 'this server no longer leads'),
        lastTime(servers, next, 'this server leads'),
      ]);
      assert.ok(started - stopped <= 500, `${started - stopped} ms`);
      await servers.start(leader);
    });

    it('a killed leader is followed within five seconds, and pods are placed again', async () => {
      const leader = await servers.leader();
      const others = all.filter((server) => server !== leader);
      const client = servers.client(others);
      servers.signal(leader, 'SIGKILL');
      const startMs = performance.now();
      await client.create(pods, pod('after-kill'));
      await until('the pod to be placed', () => isPlaced(client, 'after-kill'), 10_000);
      const tookMs = performance.now() - startMs;
      assert.ok(tookMs < 7_000, `placed after ${tookMs} ms`);
      const next = await servers.leader();
      const takenMs =
        (await lastTime(servers, next, 'this server leads')) - (Date.now() - (performance.now() - startMs));
      assert.ok(takenMs <= 5_000, `led after ${takenMs} ms`);
      await servers.start(leader);
    });

    it('a leader that stood still for ten seconds writes nothing when it goes on', async () => {
      const leader = await servers.leader();
      const client = servers.client(all.filter((server) => server !== leader));
      let isOver = false;
      const writing = (async () => {
        for (let i = 0; !isOver; i++) {
          await persistently(() => client.create(pods, pod(`still-${i}`)));
          await delay(10);
        }
      })();
      await delay(1_000);
      servers.signal(leader, 'SIGSTOP');
      await delay(10_000);
      servers.signal(leader, 'SIGCONT');
      await delay(2_000);
      isOver = true;
      await writing;
      assert.notEqual(await servers.leader(), leader);
      await until('all pods to be placed', async () => {
        const listed = await client.list(pods, { namespace: 'default' });
        return listed.items.every((one) => one.spec.nodeName !== undefined);
      });
      const { items } = await client.list(pods, { namespace: 'default' });
      assert.ok(items.length > 100, `${items.length} pods`);
    });

    it('agents are told of all servers or of none, also by one that has just started', () => {
      assert.ok(told.length > 0);
      for (const list of told) assert.deepEqual([...list].sort(), [...servers.urls].sort());
    });

    it('the history knows no binder but the leader of its time, and no pod that was placed twice', async () => {
      const history = await readBinderHistory(etcd.endpoints, servers.identityDirectory, etcd.tls);
      assert.deepEqual(foreignBindings(history), []);
      assert.ok(history.bindings.length > 50, `${history.bindings.length} bindings`);
      assert.ok(history.terms.length >= 4, `${history.terms.length} terms`);
      assert.ok(
        history.bindings.every((one) => one.process !== ''),
        'each binding has its receipt',
      );
    });

    it('without a majority it reads from memory and says so, writes fail with a reason, and all comes back by itself', async () => {
      let warnings: string[] = [];
      const client = servers.client(all, { onWarning: (sentence) => void warnings.push(sentence) });
      const known = (await client.list(configMaps, { namespace: 'default' })).items.length;
      await Promise.all([etcd.kill(1), etcd.kill(2)]);
      await delay(6_000);

      const read = await outcomeOf(() => client.list(configMaps, { namespace: 'default' }));
      assert.equal(read.error?.status.code, 503);
      assert.match(read.error?.message ?? '', /^the store has no quorum: etcd at https:\/\/127.* start the members/);
      assert.ok(read.ms < 2_500, `the read took ${read.ms} ms`);
      const written = await outcomeOf(() => client.create(configMaps, configMap('no-quorum')));
      assert.deepEqual([written.error?.status.code, written.error?.status.reason], [503, 'ServiceUnavailable']);
      assert.match(written.error?.message ?? '', /^the store has no quorum/);
      assert.ok(written.ms < 8_000, `the write took ${written.ms} ms`);

      assert.equal(warnings.length, 0);
      const old = await client.list(configMaps, { namespace: 'default', resourceVersion: '0' });
      assert.equal(old.items.length, known);
      assert.match(warnings[0] ?? '', /^the store does not answer: this is what the server knew \d+ s ago$/);
      const person = servers.client(all, { readsKnown: true, onWarning: (sentence) => void warnings.push(sentence) });
      assert.equal((await person.list(configMaps, { namespace: 'default' })).items.length, known);
      assert.equal((await person.get(nodes, { name: 'n1' })).metadata.name, 'n1');

      etcd.start(1);
      etcd.start(2);
      await until(
        'a write to be taken',
        () => succeeds(() => client.create(configMaps, configMap('quorum-is-back'))),
        20_000,
      );
      const leader = await servers.leader();
      await client.create(pods, pod('after-quorum'));
      await until('a pod to be placed', () => isPlaced(client, 'after-quorum'), 15_000);
      warnings = [];
      for (const server of all) {
        const one = servers.client([server], { onWarning: (sentence) => void warnings.push(sentence) });
        const { items } = await one.list(configMaps, { namespace: 'default' });
        assert.ok(items.some(({ metadata }) => metadata.name === 'quorum-is-back'));
      }
      assert.equal(warnings.length, 0, warnings[0] ?? '');
      assert.ok(all.includes(leader));
    });
  });
}

function service(name: string, spec: object): Service {
  const metadata = { name, namespace: 'default' };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }], ...spec } };
}

function configMap(name: string, labels: Record<string, string> = {}): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default', labels }, data: { a: 'b' } };
}

function pod(name: string): Pod {
  const spec = { containers: [{ name: 'main', image: 'busybox' }] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec };
}

/** A node that looks as if an agent had joined, with room for everything. */
function node(name: string): Node {
  const resources = { cpu: '1000', memory: '1000Gi', pods: '10000' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: {},
    status: {
      capacity: resources,
      allocatable: resources,
      conditions: [{ type: 'Ready', status: 'True' }],
      addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
    },
  };
}

/** A node with room for everything, whose agent does nothing but say to all servers that it lives. */
async function joinNode(
  admin: HttpClient,
  servers: ServerProcesses,
  name: string,
  onServers: (servers: readonly string[]) => void,
): Promise<{ stop(): Promise<void> }> {
  const token: Token = {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Token',
    metadata: { name },
    spec: { type: 'join', grid: 'main' },
  };
  const made = await admin.forGrid('system').create(tokens, token);
  const key = newKeyPem();
  const { certificate, caCertificate } = await joinCluster({
    server: servers.urls[0]!,
    token: made.status?.token ?? '',
    nodeName: name,
    keyPem: key,
  });
  await admin.create(nodes, node(name));
  return connectLiveness({
    servers: servers.urls,
    credentials: () => ({ certificate, caCertificate, key }),
    agentVersion: 'test',
    onServers,
    log: silentLogger,
  });
}

async function isPlaced(client: HttpClient, name: string): Promise<boolean> {
  return (await client.get(pods, { namespace: 'default', name })).spec.nodeName !== undefined;
}

/** Again while a server or the store is away. What was made although nobody said so is made. */
async function persistently(run: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await run();
      return;
    } catch (error) {
      if (isApiError(error, 'AlreadyExists')) return;
      if (tries > 100 || (error instanceof ApiError && error.status.code < 500)) throw error;
      await delay(100);
    }
  }
}

async function succeeds(run: () => Promise<unknown>): Promise<boolean> {
  return run().then(
    () => true,
    (error) => isApiError(error, 'AlreadyExists'),
  );
}

async function outcomeOf(run: () => Promise<unknown>): Promise<{ readonly error?: ApiError; readonly ms: number }> {
  const startMs = performance.now();
  try {
    await run();
    return { ms: performance.now() - startMs };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { error, ms: performance.now() - startMs };
  }
}

async function lastTime(servers: ServerProcesses, server: number, message: string): Promise<number> {
  const record = (await servers.log(server)).findLast(({ msg }) => msg === message);
  assert.ok(record, `server ${server} says "${message}"`);
  return Date.parse(record.time);
}
