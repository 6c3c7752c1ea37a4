// Three servers, each on a machine with a member of the etcd, and three hosts: what their loss costs the people who use them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { readContexts, saveContext } from '../../src/client/contexts.ts';
import { createHttpClient, type HttpClient } from '../../src/client/http-client.ts';
import { readLines } from '../../src/client/read-lines.ts';
import { leases, nodes, type Pod, pods } from '../../src/resources/kinds.ts';
import { foreignBindings, readBinderHistory } from '../integration/binder-history.ts';
import { createKubectl } from '../integration/kubectl.ts';
import { assertSameAsDocker, collectLines, isReady, podsOf } from './cluster.ts';
import { bin, eventually, httpGet, startLab, type TestLab } from './lab.ts';

const file = `name: ticks
services:
  tick:
    image: busybox
    command: [sh, -c, 'trap "exit 0" TERM; i=0; while :; do i=$$((i+1)); echo "tick $$i"; sleep 0.2 & wait $$!; done']
    instances: 3
  web:
    image: nginx
    ports: ["8080:80"]
`;
const further = (name: string) => `name: ${name}
services:
  late:
    image: busybox
    command: [sh, -c, 'trap "exit 0" TERM; sleep 36000 & wait']
    instances: 2
`;
/** Bounds are those of a machine that has nothing else to do; where work queues for the processors they grow with the queue. */
const slowness = () => Math.max(1, (loadavg()[0] ?? 0) / availableParallelism() - 1);
const servers = ['s1', 's2', 's3'];
const hosts = ['h1', 'h2', 'h3'];

describe('three servers with an etcd of three members', { timeout: 240_000 }, () => {
  let lab: TestLab;
  let directory: string;
  const clients: HttpClient[] = [];
  const addressOf = (server: string) => `${lab.prefix}.${240 + Number(server.slice(1))}`;
  const urlOf = (server: string) => `https://${addressOf(server)}:7443`;
  const diskOf = (machine: string) => `/var/lib/flotilla-lab/${lab.name}/${machine}`;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-servers-'));
    lab = await startLab({ name: 'e2eservers', octet: 224, servers: 3 });
    await writeFile(join(directory, 'ticks.yml'), file);
    await lab.flotilla(['deploy', '-f', join(directory, 'ticks.yml')], { timeoutMs: 90_000 });
  });
  after(async () => {
    for (const client of clients) client.close();
    await lab?.down();
    await rm(directory, { recursive: true, force: true });
  });

  const context = () => readContexts(lab.env.FLOTILLA_CONFIG ?? '').contexts[lab.name]!;
  const clientOf = (names: readonly string[]) => {
    const { caCertificate, token, grid } = context();
    const client = createHttpClient({ servers: names.map(urlOf), caCertificate, token, grid, userAgent: 'test' });
    clients.push(client);
    return client;
  };
  /** The machine whose server holds the lease. */
  const leaderOf = (client: HttpClient) =>
    eventually('somebody to lead', async () => {
      const lease = await client
        .forGrid('system')
        .get(leases, { namespace: 'flotilla-system', name: 'flotilla-leader' });
      const id = lease.spec.holderIdentity?.split('-')[0];
      const ids = await Promise.all(servers.map(async (name) => [name, await serverId(name)] as const));
      return ids.find(([, one]) => id !== undefined && id !== '' && one === id)?.[0];
    });
  const serverId = async (name: string) => (await readFile(`${diskOf(name)}/data/server.id`, 'utf8')).trim();
  /** When a server last said so. */
  const lastSaid = async (server: string, message: string) => {
    const lines = (await readFile(`${diskOf(server)}/server.log`, 'utf8')).split('\n');
    const line = lines.findLast((one) => one.includes(`"msg":"${message}"`));
    assert.ok(line, `${server} says "${message}"`);
    return Date.parse((JSON.parse(line) as { time: string }).time);
  };
  /** What a test that fails half-way would leave for the next. */
  const undo = new Map<string, () => Promise<unknown>>();
  /** Ends a unit, and keeps it down until `release`. */
  const hold = async (machine: string, unit: string, signal: 'KILL' | 'TERM') => {
    undo.set(`${machine} ${unit}`, () => release(machine, unit));
    await lab.exec(machine, ['sh', '-c', `touch /run/lab/${unit}.stop; kill -${signal} $(cat /run/lab/${unit}.pid)`]);
  };
  const release = async (machine: string, unit: string) => {
    undo.delete(`${machine} ${unit}`);
    await lab.exec(machine, ['rm', '-f', `/run/lab/${unit}.stop`]);
  };
  const change = async (verb: 'off' | 'on' | 'cut' | 'plug', machine: string): Promise<void> => {
    const back = verb === 'off' ? 'on' : verb === 'cut' ? 'plug' : undefined;
    if (back) undo.set(machine, () => change(back, machine));
    else undo.delete(machine);
    await lab.change(verb, machine);
  };
  const answers = (server: string) => {
    const ready = async () => (await clientOf([server]).raw({ method: 'GET', path: '/readyz' })).status === 200;
    return eventually(`${server} to be ready`, ready, 40_000);
  };
  afterEach(async () => {
    for (const one of [...undo.values()]) await one();
    for (const server of servers) await answers(server);
  });
  const execThrough = async (client: HttpClient, pod: Pod) => {
    const ref = { namespace: pod.metadata.namespace ?? 'default', name: pod.metadata.name };
    const session = await client.podExec(ref, { command: ['echo', 'here'] });
    let said = '';
    for await (const chunk of session.stdout) said += String(chunk);
    assert.deepEqual([await session.exitCode, said], [0, 'here\n']);
  };
  const tickOf = async (client: HttpClient) =>
    (await client.list(pods, { namespace: 'ticks' })).items.find((pod) => pod.metadata.name.startsWith('tick'))!;
  const allReady = async (stack: string, count: number) =>
    (await podsOf(lab, stack)).filter((pod) => isReady(pod)).length === count;

  it('a command that knows one of them learns of all', async () => {
    const path = join(directory, 'config.json');
    saveContext(path, { name: 'one', ...context(), servers: [urlOf('s2')] }, { makeCurrent: true });
    const env = { FLOTILLA_CONFIG: path };
    assert.match(await lab.flotilla(['ps'], { env }), /tick/);
    assert.deepEqual([...(readContexts(path).contexts.one?.servers ?? [])].sort(), servers.map(urlOf));
    const status = await lab.flotilla(['server', 'status'], { env });
    for (const server of servers) assert.match(status, new RegExp(`${urlOf(server)} +ready`));
  });

  it('every server gives logs and exec of every host, also to kubectl', async () => {
    for (const server of servers) {
      const client = clientOf([server]);
      const { items } = await client.list(pods, { namespace: 'ticks' });
      const ticks = items.filter((pod) => pod.metadata.name.startsWith('tick'));
      assert.deepEqual(ticks.map((pod) => pod.spec.nodeName).sort(), hosts);
      for (const pod of ticks) await execThrough(client, pod);
    }
    const path = join(directory, 'kubeconfig.json');
    saveContext(path, { name: 'two', ...context(), servers: [urlOf('s2')] }, { makeCurrent: true });
    await writeFile(
      join(directory, 'kubeconfig'),
      await lab.flotilla(['kubeconfig'], { env: { FLOTILLA_CONFIG: path } }),
    );
    const kubectl = await createKubectl('35', ['--kubeconfig', join(directory, 'kubeconfig'), '-n', 'ticks']);
    const { name } = (await tickOf(clientOf(['s3']))).metadata;
    assert.equal(await kubectl.ok(['exec', name, '--', 'echo', 'through s2']), 'through s2\n');
    assert.match(await kubectl.ok(['logs', '--tail=1', name]), /^tick \d+$/m);
  });

  it('the power of server A goes: exec and logs -f through B within two seconds each, events -f and ps go on', async (test) => {
    const client = clientOf(['s1', 's2', 's3']);
    const pod = await tickOf(client);
    assert.equal(client.server, urlOf('s1'));
    const follow = (argv: readonly string[]) =>
      collectLines(spawn(bin, argv, { env: { ...process.env, ...lab.env }, stdio: ['ignore', 'pipe', 'inherit'] }));
    const log = follow(['logs', '-f', '--tail', '1', 'ticks/tick']);
    const events = follow(['events', '-f']);
    await eventually('the log to flow', async () => log.lines.length > 5);
    const offMs = Date.now();
    await change('off', 's1');
    // As the next command would: it knows all three, and asks the dead one first.
    const goneMs = performance.now();
    await execThrough(clientOf(servers), pod);
    const execMs = performance.now() - goneMs;
    const next = clientOf(servers);
    for await (const line of readLines(
      next.podLogs({ namespace: 'ticks', name: pod.metadata.name }, { tailLines: 1 }),
    )) {
      assert.match(line, /tick/);
    }
    const bothMs = performance.now() - goneMs;
    assert.notEqual(next.server, urlOf('s1'));
    const both = `exec after ${Math.round(execMs)} ms, the log after ${Math.round(bothMs)} ms`;
    test.diagnostic(both);
    assert.ok(Math.max(execMs, bothMs - execMs) <= 2_000 * slowness(), both);
    await eventually('the followed log to flow again', async () => log.lines.some((one) => one.atMs > offMs + 3_000));
    const times = log.lines.map((one) => one.atMs);
    const gapMs = Math.max(...times.slice(1).map((atMs, index) => atMs - times[index]!));
    test.diagnostic(`the followed log stood still for ${gapMs} ms`);
    assert.ok(gapMs <= 6_000 * slowness(), `the followed log stood still for ${gapMs} ms`);
    const printed = events.lines.length;
    await lab.flotilla(['scale', 'ticks/tick=4']);
    await eventually('events to be told', async () => events.lines.length > printed);
    await eventually('four to run', async () => allReady('ticks', 5));
    await Promise.all([log.stop(), events.stop()]);
    await change('on', 's1');
  });

  it('a leader that is killed is followed within five seconds, and a deploy placed', async (test) => {
    const client = clientOf(servers);
    const leader = await leaderOf(client);
    await hold(leader, 'server', 'KILL');
    const killedMs = Date.now();
    await writeFile(join(directory, 'killed.yml'), further('killed'));
    await lab.flotilla(['deploy', '-f', join(directory, 'killed.yml')], { timeoutMs: 60_000 });
    const runsMs = Date.now() - killedMs;
    const next = await leaderOf(client);
    assert.notEqual(next, leader);
    const ledMs = (await lastSaid(next, 'this server leads')) - killedMs;
    test.diagnostic(`led after ${ledMs} ms; the deploy ran after ${runsMs} ms`);
    assert.ok(ledMs <= 5_000 * slowness(), `led after ${ledMs} ms; the deploy ran after ${runsMs} ms`);
    await release(leader, 'server');
  });

  it('a leader that stops cleanly is followed within half a second', async (test) => {
    const client = clientOf(servers);
    const leader = await leaderOf(client);
    await hold(leader, 'server', 'TERM');
    const next = await eventually('another to lead', async () => {
      const now = await leaderOf(client);
      return now !== leader && now;
    });
    const tookMs =
      (await lastSaid(next, 'this server leads')) - (await lastSaid(leader, 'this server no longer leads'));
    test.diagnostic(`followed after ${tookMs} ms`);
    assert.ok(tookMs <= 500 * slowness(), `${tookMs} ms`);
    await release(leader, 'server');
  });

  it('a leader that is cut off with its member of etcd stops leading before the next begins', async () => {
    const leader = await leaderOf(clientOf(servers));
    const others = servers.filter((server) => server !== leader);
    await change('cut', leader);
    const next = await eventually('another to lead', async () => {
      const now = await leaderOf(clientOf(others));
      return now !== leader && now;
    });
    await writeFile(join(directory, 'cut.yml'), further('cut'));
    await lab.flotilla(['deploy', '-f', join(directory, 'cut.yml')], { timeoutMs: 60_000 });
    const stoppedMs = await lastSaid(leader, 'this server no longer leads');
    assert.ok(stoppedMs <= (await lastSaid(next, 'this server leads')));
    await change('plug', leader);
  });

  it('two binders can not overcommit a node: its agent refuses the second', async () => {
    const client = clientOf(['s2']);
    const node = await client.get(nodes, { name: 'h1' });
    const memory = `${Math.floor(Number.parseInt(node.status?.allocatable?.memory ?? '0', 10) * 0.6)}Ki`;
    for (const [index, server] of ['s2', 's3'].entries()) {
      const name = `greedy-${index}`;
      const container = {
        name: 'main',
        image: 'busybox',
        command: ['sleep', '3600'],
        resources: { requests: { memory } },
      };
      // Each is placed by hand, through a server of its own: no scheduler counts them together.
      const spec = { containers: [container], nodeName: 'h1' };
      await clientOf([server]).create(pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default' },
        spec,
      });
    }
    await eventually('one to run and one to be refused', async () => {
      const { items } = await client.list(pods, { namespace: 'default' });
      const told = items.map((pod) =>
        `${pod.status?.phase} ${(pod.status as { reason?: string }).reason ?? ''}`.trim(),
      );
      return told.sort().join() === 'Failed OutOfmemory,Running';
    });
    for (const index of [0, 1])
      await client.delete(pods, { namespace: 'default', name: `greedy-${index}` }, { gracePeriodSeconds: 0 });
  });

  it('without a majority of etcd: reads say how old they are, writes fail with a reason, workloads go on; it comes back by itself', async () => {
    const web = (await podsOf(lab, 'ticks')).find((pod) => pod.metadata.name.startsWith('web'))!;
    const page = () => httpGet(`http://${web.status?.hostIP}:8080/`);
    const containers = await Promise.all(hosts.map((host) => lab.exec(host, ['docker', 'ps', '-q', '--no-trunc'])));
    await Promise.all(['s1', 's2'].map((server) => hold(server, 'etcd', 'KILL')));
    const said = await eventually('a warning', async () => {
      const { code, stdout, stderr } = await lab.tryFlotilla(['ps', 'ticks']);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /tick/);
      return stderr.includes('warning:') && stderr;
    });
    assert.match(said, /^warning: the store does not answer: this is what the server knew \d+ s ago$/m);
    const startMs = performance.now();
    const failed = await lab.tryFlotilla(['scale', 'ticks/tick=1']);
    assert.equal(failed.code, 1);
    assert.match(
      failed.stderr,
      /error: the store has no quorum: etcd at http:.*start the members of etcd that are down/,
    );
    assert.ok(performance.now() - startMs < 15_000 * slowness());
    assert.equal((await page()).status, 200);
    await lab.flotilla(['exec', 'ticks/tick', '--', 'nslookup', 'web.ticks.svc.cluster.local']);
    assert.match(await lab.flotilla(['logs', '--tail', '1', 'ticks/tick']), /tick \d+/);

    await Promise.all(['s1', 's2'].map((server) => release(server, 'etcd')));
    await eventually(
      'a write to be taken',
      async () => (await lab.tryFlotilla(['scale', 'ticks/tick=3'])).code === 0,
      30_000,
    );
    await eventually('three to run', async () => allReady('ticks', 4));
    for (const server of servers) await answers(server);
    const after = await Promise.all(hosts.map((host) => lab.exec(host, ['docker', 'ps', '-q', '--no-trunc'])));
    // Only what was scaled down is gone: nothing restarted.
    const before = new Set(containers.join('\n').split('\n'));
    assert.deepEqual(
      after
        .join('\n')
        .split('\n')
        .filter((id) => !before.has(id)),
      [],
    );
    await assertSameAsDocker(lab, hosts);
  });

  it('and the history of the store knows no binder but the leader of its time', async () => {
    const endpoints = servers.map((server) => `http://${addressOf(server)}:2379`);
    const history = await readBinderHistory(endpoints, `${diskOf('s1')}/data/identity`);
    assert.ok(history.terms.length >= 4 && history.bindings.length >= 9, JSON.stringify(history.terms));
    // Those that were created with a node's name were placed by whoever asked.
    const scheduled = history.bindings.filter(({ key }) => !key.includes('greedy'));
    assert.deepEqual(foreignBindings({ ...history, bindings: scheduled }), []);
  });
});
