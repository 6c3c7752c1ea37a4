// Nobody who connects to a service address loses a request while its only instance is drained, while the agent of a host that must
// follow is killed, and while a host is shut down; a WebSocket through a proxy's old worker is ended by its application alone.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { HttpClient } from '../../src/client/http-client.ts';
import type { MachineLayout } from '../../src/lab/layout.ts';
import { initOf } from '../../src/lab/processes.ts';
import { events, ingresses, pods, services } from '../../src/resources/kinds.ts';
import { podConditions } from '../../src/resources/names.ts';
import { isPodReady, podCondition } from '../../src/resources/pod-facts.ts';
import { openConnection } from '../integration/haproxy-host.ts';
import { machineOf, shellOn } from './host-state.ts';
import { clientOf } from './invariants.ts';
import { eventually, startLab, type TestLab } from './lab.ts';

/**
 * Takes 20 ms for a request, 2 s for a slow one, and ends as people write it: no sleep, no handler that is nicer than the default.
 * A WebSocket says everything back, and ends after `bye`.
 */
const app = [
  "const fs = require('fs'); const s = require('http').createServer((q, r) => {",
  "r.setHeader('x-instance', require('os').hostname());",
  "if (q.method === 'GET') { r.statusCode = fs.existsSync('/tmp/sick') ? 503 : 200; return r.end(); }",
  "let b = ''; q.on('data', (d) => (b += d)); q.on('end', () => setTimeout(() => r.end(b), b.startsWith('slow') ? 2000 : 20));",
  "}); s.on('upgrade', (q, k) => { k.on('error', () => {}).on('data', (d) => (d.includes('bye') ? k.end() : k.write(d)));",
  "const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket',",
  "'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'X-Instance: ' + require('os').hostname(), '', ''];",
  'k.write(lines.join(String.fromCharCode(13, 10))); });',
  "s.listen(8080); process.on('SIGTERM', () => s.close())",
].join(' ');

const file = `name: life
services:
  web:
    image: node:24-alpine
    expose: 8080
    stop_grace_period: 5s
    command: [node, -e, "${app}"]
    health_check: {protocol: http, port: 8080, interval: 1s, retries: 60}
`;

/** A connection and a POST with an id of its own every 10 ms, one of 25 slow, none of them tried again. Ends with its standard input. */
const client = `
const { request } = require('node:http');
const [url, from] = process.argv.slice(1);
let sent = 0, answered = 0, open = 0, isOver = false;
const failed = [];
const end = () => {
  if (isOver && open === 0) { console.log(JSON.stringify({ answered, failed })); process.exit(0); }
};
function post() {
  const id = (++sent % 25 === 0 ? 'slow-' : '') + from + '-' + sent;
  const atMs = Date.now();
  let isKnown = false;
  const known = (problem) => {
    if (isKnown) return;
    isKnown = true;
    open--;
    if (problem === undefined) answered++;
    else failed.push(id + ' at ' + new Date(atMs).toISOString() + ': ' + problem);
    end();
  };
  open++;
  const asked = request(url, { method: 'POST', agent: false, timeout: 10000 }, (answer) => {
    let body = '';
    answer.on('data', (part) => (body += part));
    answer.on('error', (error) => known(error.message));
    answer.on('end', () => known(answer.statusCode === 200 && body === id ? undefined : answer.statusCode + ' ' + body));
  });
  asked.on('timeout', () => asked.destroy(new Error('no answer')));
  asked.on('error', (error) => known(error.message));
  asked.end(id);
}
const timer = setInterval(post, 10);
process.stdin.resume().on('end', () => { isOver = true; clearInterval(timer); end(); });
`;

const webSocket =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';

interface LoadResult {
  readonly answered: number;
  readonly failed: readonly string[];
}

class LostRequests extends Error {
  readonly failed: readonly string[];

  constructor(failed: readonly string[]) {
    super(`${failed.length} requests were lost:\n${failed.join('\n')}`);
    this.failed = failed;
  }
}

/** The client on one machine. */
async function startLoad(machine: MachineLayout, url: string): Promise<{ end(): Promise<LoadResult> }> {
  const init = await initOf(machine.namespace);
  const enter = [`--target=${init}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--wd=/', '--'];
  const child: ChildProcess = spawn('nsenter', [...enter, process.execPath, '-e', client, url, machine.name], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return {
    end: async () => {
      assert.ok(child.stdin && child.stdout);
      child.stdin.end();
      return JSON.parse(await text(child.stdout)) as LoadResult;
    },
  };
}

describe('an instance that leaves', { timeout: 240_000 }, () => {
  let lab: TestLab;
  let api: HttpClient | undefined;
  let directory: string;
  let url: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-leaving-'));
    await writeFile(join(directory, 'stack.yml'), file);
    lab = await startLab({ name: 'e2eleave', octet: 125, hosts: 2 });
    await lab.flotilla(['deploy', '-f', join(directory, 'stack.yml')], { timeoutMs: 90_000 });
    api = clientOf(lab);
    const { spec } = await api.get(services, { namespace: 'life', name: 'web' });
    url = `http://${spec.clusterIP}:8080/`;
  });
  after(async () => {
    api?.close();
    await lab?.down();
    await rm(directory, { recursive: true, force: true });
  });

  const only = (count: number) =>
    eventually(`${count} ready instances`, async () => {
      const found = (await api?.list(pods, { namespace: 'life' }))?.items ?? [];
      return found.length === count && found.every(isPodReady) ? found : undefined;
    });
  const hostOf = async (): Promise<string> => (await only(1))[0]?.spec.nodeName ?? '';
  const otherThan = (host: string) => (host === 'h1' ? 'h2' : 'h1');
  /** While `change` runs, and a little before. */
  const underLoad = async (hosts: readonly string[], change: () => Promise<void>): Promise<void> => {
    const loads = await Promise.all(hosts.map(async (host) => startLoad(await machineOf(lab, host), url)));
    await eventually(
      'the first request to be answered',
      async () => (await shellOn(await machineOf(lab, hosts[0] ?? ''), `wget -q -O - --post-data=x ${url}`)) === 'x',
    );
    await change();
    for (const { answered, failed } of await Promise.all(loads.map((load) => load.end()))) {
      if (failed.length > 0) throw new LostRequests(failed);
      assert.ok(answered > 50, `${answered}`);
    }
  };
  /** What the event says of an instance. */
  const withdrawn = (name: string) =>
    eventually(`the event of the withdrawal of ${name}`, async () => {
      const all = await api?.list(events, { namespace: 'life' });
      return all?.items.find(({ reason, involvedObject }) => reason === 'Withdrawn' && involvedObject.name === name)
        ?.message;
    });

  it('drain, with one instance on two hosts: the other one does its work first', async () => {
    const [old] = await only(1);
    const host = old?.spec.nodeName ?? '';
    await underLoad(['h1', 'h2'], async () => {
      assert.match(await lab.flotilla(['node', 'drain', host]), new RegExp(`${host} is drained`));
      assert.equal(await hostOf(), otherThan(host));
    });
    assert.match(await withdrawn(old?.metadata.name ?? ''), /^No new connections come here: waited \d+ ms for 2 nodes/);
    await lab.flotilla(['node', 'undrain', host]);
  });

  it('not ready: nobody is sent there after one check, and again when it is well', async (test) => {
    await lab.flotilla(['scale', 'life/web=2']);
    const [sick] = await only(2);
    assert.ok(sick);
    const { name } = sick.metadata;
    const machine = await machineOf(lab, sick.spec.nodeName ?? '');
    const inside = (command: string) =>
      shellOn(machine, `docker exec $(docker ps -q --filter name=fl_life_${name}_web) ${command}`);
    const routed = (status: string) =>
      eventually(`${name} to be ${status === 'True' ? 'in' : 'out of'} routing`, async () => {
        const pod = await api?.get(pods, { namespace: 'life', name });
        return pod && podCondition(pod, podConditions.routed)?.status === status;
      });
    const reached = async () => {
      const script = `for i in $(seq 30); do wget -q -S -O /dev/null --post-data=x ${url} 2>&1 | grep -i x-instance; done`;
      const seen = await Promise.all(['h1', 'h2'].map(async (host) => shellOn(await machineOf(lab, host), script)));
      return seen.every((lines) => lines.trim().split('\n').length === 30) && seen.join().includes(name);
    };
    await routed('True');
    assert.equal(await reached(), true);
    const startMs = performance.now();
    await inside('touch /tmp/sick');
    await routed('False');
    test.diagnostic(
      `checked each second, out of routing on all nodes after ${Math.round(performance.now() - startMs)} ms`,
    );
    assert.equal(await reached(), false);
    await inside('rm /tmp/sick');
    const wellMs = performance.now();
    await routed('True');
    test.diagnostic(`back on all nodes after ${Math.round(performance.now() - wellMs)} ms`);
    assert.equal(await reached(), true);
  });

  it('a WebSocket that an old worker of a proxy holds: nothing else comes to its instance, and it lives on until the application, or the grace period, ends it', async () => {
    await lab.flotilla(['scale', 'life/web=2']);
    await only(2);
    const through = [`${lab.prefix}.1`, `${lab.prefix}.2`] as const;
    const connect = async (address: string, more: string) => {
      const line = await openConnection(80, address);
      const answer = await line.send(`GET / HTTP/1.1\r\nHost: web.life.localhost\r\n${more}\r\n\r\n`);
      const instance = /^x-instance: (\S+)/im.exec(answer)?.[1];
      assert.ok(instance, answer);
      return { ...line, instance };
    };
    const open = () => connect(through[0], webSocket);
    const whoAnswers = async (address: string) => {
      const { instance, close } = await connect(address, 'Connection: close');
      close();
      return instance;
    };
    await eventually('the proxy to know both', async () => {
      const seen = [await whoAnswers(through[0]), await whoAnswers(through[0])];
      return new Set(seen).size === 2;
    });
    // Of three on two instances, two are on one.
    const all = [await open(), await open(), await open()];
    const { instance } = all.find((one, at) => all.findIndex((other) => other.instance === one.instance) !== at) ?? {};
    const [short, long] = all.filter((one) => one.instance === instance);
    assert.ok(instance && short && long, all.map((one) => one.instance).join());
    const backend = { service: { name: 'web', port: { number: 8080 } } };
    await api?.create(ingresses, {
      ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' },
      metadata: { name: 'own', namespace: 'life', annotations: { 'ingress.flotilla.dev/retries': '1' } },
      spec: { rules: [{ host: 'own.example', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }] },
    });
    await eventually('the proxy to have an old worker', async () => {
      const { proxies } = JSON.parse(await lab.flotilla(['ingress', 'stats', '-o', 'json'])) as {
        readonly proxies: readonly { readonly node: string; readonly oldWorkers: number }[];
      };
      return proxies.some(({ node, oldWorkers }) => node === 'h1' && oldWorkers > 0);
    });
    const startMs = performance.now();
    await api?.delete(pods, { namespace: 'life', name: instance });
    assert.match(await withdrawn(instance), /waited \d+ ms for 2 nodes/);
    for (const address of through) {
      for (let at = 0; at < 10; at++) assert.notEqual(await whoAnswers(address), instance);
    }
    for (const one of [short, long]) assert.equal(await one.send('still here'), 'still here');
    await assert.rejects(short.send('bye'), /the connection ended/);
    let lastMs = startMs;
    const stillSays = async () => {
      if ((await long.send('and still')) === 'and still') lastMs = performance.now();
    };
    await eventually('the other one to be ended', () =>
      stillSays().then(
        () => false,
        () => true,
      ),
    );
    assert.ok(lastMs - startMs > 4_000, `it lived for ${Math.round(lastMs - startMs)} ms of a grace period of 5 s`);
    for (const one of all) one.close();
    await api?.delete(ingresses, { namespace: 'life', name: 'own' });
    // The two that are there may be on one host by now.
    await lab.flotilla(['scale', 'life/web=1']);
    await only(1);
  });

  it('the agent of a host that must follow is killed: nothing stops before it is back and has followed', async (test) => {
    await lab.flotilla(['scale', 'life/web=2']);
    const going = (await only(2)).find(({ spec }) => spec.nodeName === 'h2');
    assert.ok(going, 'instances are spread');
    let failed: readonly string[] = [];
    try {
      await underLoad(['h1', 'h2'], async () => {
        await shellOn(await machineOf(lab, 'h1'), 'kill -9 "$(cat /run/lab/agent.pid)"');
        await api?.delete(pods, going.metadata);
        await eventually(`${going.metadata.name} to be gone`, async () => {
          const found = (await api?.list(pods, { namespace: 'life' }))?.items ?? [];
          return found.every(({ metadata }) => metadata.uid !== going.metadata.uid);
        });
        await only(2);
      });
    } catch (error) {
      if (!(error instanceof LostRequests)) throw error;
      failed = error.failed;
    }
    const told = await withdrawn(going.metadata.name);
    test.diagnostic(told);
    // It is waited for five seconds: an agent that starts on a busy machine may take longer.
    if (/ for 2 nodes(;|$)/.test(told)) assert.deepEqual(failed, []);
    await lab.flotilla(['scale', 'life/web=1']);
  });

  it('an agent that was killed goes by what a server says, not by a disk that is behind', async (test) => {
    const [only1] = await only(1);
    assert.ok(only1);
    const host = only1.spec.nodeName ?? '';
    const [machine, other] = await Promise.all([host, otherThan(host)].map((name) => machineOf(lab, name)));
    assert.ok(machine && other);
    const app = (command: string) =>
      shellOn(machine, `docker exec $(docker ps -q --filter name=fl_life_${only1.metadata.name}_web) ${command}`);
    const disk = (one: MachineLayout) => `${one.directory}/agent/assignments`;
    /** It is written half a second after a change. */
    const settled = (one: MachineLayout) =>
      eventually(`the disk of ${one.name} to be written`, async () => {
        const before = await shellOn(one, `stat -c %y ${disk(one)}`);
        await delay(1_200);
        return before === (await shellOn(one, `stat -c %y ${disk(one)}`));
      });
    const starts = async ({ directory }: MachineLayout) =>
      (await readFile(`${directory}/agent.log`, 'utf8')).match(/"agent runs"/g)?.length ?? 0;
    await app('touch /tmp/sick');
    await eventually('it not to be ready', async () => {
      const pod = await api?.get(pods, only1.metadata);
      return pod && !isPodReady(pod);
    });
    // The two disks say now that nobody is there.
    for (const one of [machine, other]) {
      await settled(one);
      await shellOn(one, `cp ${disk(one)} /tmp/behind`);
    }
    await app('rm /tmp/sick');
    const [ready] = await only(1);
    assert.ok(ready);
    await eventually('it to be in routing', async () => {
      const pod = await api?.get(pods, only1.metadata);
      return pod && podCondition(pod, podConditions.routed)?.status === 'True';
    });
    const server = await machineOf(lab, 's1');
    const hold = (signal: string) => shellOn(server, `kill -${signal} "$(cat /run/lab/server.pid)"`);
    await underLoad(['h1', 'h2'], async () => {
      const before = await Promise.all([machine, other].map(starts));
      await hold('STOP');
      try {
        for (const one of [machine, other]) {
          const kill = `p=$(cat /run/lab/agent.pid); kill -STOP $p; cp /tmp/behind ${disk(one)}; kill -9 $p`;
          await shellOn(one, kill);
        }
        await eventually('both to be back', async () => {
          const now = await Promise.all([machine, other].map(starts));
          return now.every((count, at) => count > (before[at] ?? 0));
        });
        await delay(1_000); // they know nothing but their disks
      } finally {
        await hold('CONT');
      }
      await delay(3_000);
    });
    const pod = await api?.get(pods, only1.metadata);
    const changed = pod?.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
    const before = ready.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
    test.diagnostic(`ready since ${changed}`);
    assert.equal(changed, before);
  });

  it('a host is shut down: its node takes nothing new, and the other one takes over before it stops', async () => {
    const host = await hostOf();
    await underLoad([otherThan(host)], async () => {
      await lab.change('shutdown', host);
      assert.equal(await hostOf(), otherThan(host));
    });
    const { directory: disk } = await machineOf(lab, host);
    assert.match(await readFile(`${disk}/agent.log`, 'utf8'), /the host may go down/);
  });
});
