// The way in, as a user has it: a name by itself on every host, an update under load, a label, servers and agents that are gone.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isReady, podsOf } from './cluster.ts';
import { machineOf, runOn } from './host-state.ts';
import { eventually, startLab, type TestLab } from './lab.ts';

const host = 'web.shop.localhost';
const hosts = ['h1', 'h2', 'h3'];

/** Answers a POST with its own name. */
const stack = (version: number) => `name: shop
services:
  web:
    image: busybox
    instances: 2
    stop_grace_period: 1s
    environment: {VERSION: "${version}"}
    expose: [8080]
    command:
      - sh
      - -c
      - |
        mkdir -p /tmp/www/cgi-bin
        printf '#!/bin/sh\\necho "Content-Type: text/plain"\\necho\\necho "$$VERSION $$(hostname)"\\n' > /tmp/www/cgi-bin/name
        chmod +x /tmp/www/cgi-bin/name
        exec httpd -f -p 8080 -h /tmp/www
    healthcheck: {test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/cgi-bin/name"], interval: 1s, timeout: 2s}
`;

/** POSTs, some on kept connections and some on new ones, until its input ends; then what became of them. Never asks twice. */
const load = `
const { Agent, request } = require('node:http');
const [address, host] = process.argv.slice(1);
const kept = new Agent({ keepAlive: true });
const answers = {}, failures = [];
let isOver = false, sent = 0;
const post = (agent) => new Promise((resolve) => {
  sent++;
  const asked = request({ host: address, port: 80, method: 'POST', path: '/cgi-bin/name', agent, headers: { host } }, (response) => {
    let text = '';
    response.on('data', (chunk) => { text += chunk; });
    response.on('end', () => {
      const version = text.split(' ')[0];
      answers[version] = (answers[version] ?? 0) + 1;
      if (response.statusCode !== 200) failures.push(response.statusCode + ' ' + text.slice(0, 80));
      resolve();
    });
    response.on('error', (error) => { failures.push(error.message); resolve(); });
  });
  asked.on('error', (error) => { failures.push(error.message); resolve(); });
  asked.end('id=' + sent);
});
const loop = async (agent) => { while (!isOver) { await post(agent); await new Promise((next) => setTimeout(next, 20)); } };
process.stdin.resume();
process.stdin.on('end', () => { isOver = true; });
Promise.all([kept, kept, false, false].map(loop)).then(() => {
  kept.destroy();
  console.log(JSON.stringify({ sent, answers, failures }));
});
`;

describe('the way in, on three hosts', { timeout: 200_000 }, () => {
  let lab: TestLab;
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-ingress-'));
    lab = await startLab({ name: 'e2eingress', octet: 122 });
  });
  after(async () => {
    await lab?.down();
    await rm(directory, { recursive: true, force: true });
  });

  const deploy = async (version: number) => {
    const file = join(directory, 'stack.yml');
    await writeFile(file, stack(version));
    await lab.flotilla(['deploy', '-f', file], { timeoutMs: 90_000 });
  };
  const addressOf = (name: string) => `${lab.prefix}.${name.slice(1)}`;
  /** What a client on h1 gets through the proxy of a host. */
  const curl = async (through: string, ...more: readonly string[]) => {
    const resolve = [`--resolve`, `${host}:80:${addressOf(through)}`];
    const url = `http://${host}/cgi-bin/name`;
    return runOn(await machineOf(lab, 'h1'), ['curl', '-sS', '--max-time', '3', ...resolve, ...more, url]);
  };
  const names = async () => (await podsOf(lab, 'shop')).filter(isReady).map(({ metadata }) => metadata.name);
  /** Both instances answer through this host. */
  const answersFromAll = async (through: string) => {
    const expected = await names();
    const seen = new Set<string>();
    await eventually(`${expected.join(', ')} through ${through}, saw ${[...seen].join(', ')}`, async () => {
      const { code, stdout } = await curl(through);
      if (code === 0) seen.add(stdout.trim().split(' ')[1] ?? '');
      return expected.length === 2 && expected.every((name) => seen.has(name));
    });
  };

  it('a service has a name by itself; each host answers it, from every instance', async () => {
    await deploy(1);
    for (const through of hosts) await answersFromAll(through);
    const list = await lab.flotilla(['ingress', 'ls']);
    assert.match(list, /^web\.shop\.localhost +\/ +shop\/web:8080 .*up: 2 instances$/m);
    const shown = await lab.flotilla(['ingress', 'show', host]);
    for (const name of hosts) assert.match(shown, new RegExp(`^${name} +shop/web:8080 +shop/web-\\S+ +\\S+ +up`, 'm'));
    await eventually('the requests in the access log', async () =>
      /200 GET web\.shop\.localhost\/cgi-bin\/name -> shop\/web-/.test(await lab.flotilla(['ingress', 'logs', host])),
    );
  });

  it('an update under load loses nothing', async () => {
    const client = await startLoad(lab, addressOf('h2'));
    await deploy(2);
    const { sent, answers, failures } = await client.end();
    assert.deepEqual(failures, []);
    assert.equal((answers['1'] ?? 0) + (answers['2'] ?? 0), sent);
    assert.ok((answers['1'] ?? 0) > 0 && (answers['2'] ?? 0) > 0, JSON.stringify(answers));
    const { hosts: counted } = JSON.parse(await lab.flotilla(['ingress', 'stats', '-o', 'json'])) as {
      readonly hosts: readonly { readonly host: string; readonly requests: number; readonly errors: number }[];
    };
    const own = counted.find((one) => one.host === host);
    assert.ok(own && own.requests >= sent && own.errors === 0, JSON.stringify(counted));
  });

  it('without the label a host lets nobody in, and with it again everybody', async () => {
    await lab.flotilla(['node', 'label', 'h3', 'flotilla.dev/ingress-']);
    await eventually('h3 to refuse', async () => (await curl('h3')).code === 7);
    assert.doesNotMatch(await lab.flotilla(['ingress', 'show', host]), /^h3 /m);
    await answersFromAll('h1');
    await lab.flotilla(['node', 'label', 'h3', 'flotilla.dev/ingress=true']);
    await answersFromAll('h3');
  });

  it('goes on without agent and server; a host that boots without a server serves again', async () => {
    await lab.exec('h2', ['sh', '-c', 'touch /run/lab/agent.stop; kill -9 $(cat /run/lab/agent.pid)']);
    await answersFromAll('h2');
    const expected = await names();
    await lab.change('off', 's1');
    const seen = new Set<string>();
    await eventually('both instances through h2', async () => {
      seen.add((await curl('h2')).stdout.trim().split(' ')[1] ?? '');
      return expected.every((name) => seen.has(name));
    });
    await lab.change('off', 'h3');
    await lab.change('on', 'h3');
    await eventually('an answer through h3', async () => (await curl('h3')).code === 0, 60_000);
  });
});

interface Outcome {
  readonly sent: number;
  readonly answers: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
}

/** A client on h1. */
async function startLoad(lab: TestLab, address: string): Promise<{ end(): Promise<Outcome> }> {
  const { namespace } = await machineOf(lab, 'h1');
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, '-e', load, address, host], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return {
    end: async () => {
      const ended = once(child, 'close');
      child.stdin.end();
      await ended;
      return JSON.parse(text) as Outcome;
    },
  };
}
