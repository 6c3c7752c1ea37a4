import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isReady, podsOf, serviceOf } from './cluster.ts';
import { eventually, startLab, type TestLab } from './lab.ts';

const file = `name: nat
services:
  web:
    image: busybox
    instances: 2
    command: [sh, -c, 'hostname > /tmp/index.html; exec httpd -f -p 8080 -h /tmp']
    expose: [8080]
  client:
    image: busybox
    instances: 2
    command: [sh, -c, 'trap "exit 0" TERM; sleep 36000 & wait']
`;
/** Debian's static busybox crashes in `wget -T`. */
const wget = ['timeout', '2', 'wget', '-q', '-O', '-'];

describe('a host behind a NAT', { timeout: 150_000 }, () => {
  let lab: TestLab;
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-nat-'));
    lab = await startLab({ name: 'e2enat', octet: 103, hosts: 2, flags: ['--nat-hosts', 'h2'] });
    await writeFile(join(directory, 'stack.yml'), file);
    await lab.flotilla(['deploy', '-f', join(directory, 'stack.yml')], { timeoutMs: 90_000 });
  });
  after(async () => {
    await lab?.down();
    await rm(directory, { recursive: true, force: true });
  });

  const podOn = async (service: string, host: string) => {
    const pods = await podsOf(lab, 'nat');
    const found = pods.find((pod) => serviceOf(pod) === service && pod.spec.nodeName === host && isReady(pod));
    assert.ok(found, `${service} on ${host}`);
    return found;
  };
  const reaches = async (client: string, server: string) => {
    const { metadata, status } = await podOn('web', server);
    const from = (await podOn('client', client)).metadata.name;
    const url = `http://${status?.podIP}:8080/`;
    const said = await lab.tryFlotilla(['exec', `nat/${from}`, '--', ...wget, url]);
    return said.stdout.trim() === metadata.name;
  };

  it('runs instances that are reached from outside, and reach those outside', async () => {
    await eventually('h1 reaches h2', () => reaches('h1', 'h2'), 30_000);
    assert.ok(await reaches('h2', 'h1'));
  });

  it('is reached by name', async () => {
    const names = new Set<string>();
    const from = (await podOn('client', 'h1')).metadata.name;
    await eventually(
      'both instances answer to web',
      async () => {
        const said = await lab.tryFlotilla(['exec', `nat/${from}`, '--', ...wget, 'http://web:8080/']);
        if (said.stdout !== '') names.add(said.stdout.trim());
        return names.size === 2;
      },
      30_000,
    );
  });

  it('says so, and by which way its peers are reached', async () => {
    const shown = await lab.flotilla(['node', 'show', 'h2']);
    assert.match(shown, /h1 +10\.80\.\d+\.0\/24 +wireguard +10\.99\.103\.1 /);
    assert.match(await lab.flotilla(['node', 'show', 'h1']), /h2 +10\.80\.\d+\.0\/24 +wireguard +10\.99\.103\.2 /);
  });

  it('encrypts on while its agent is away, and a killed wireguard-go comes back', async () => {
    const before = (await lab.exec('h2', ['pgrep', 'wireguard-go'])).trim();
    await lab.exec('h2', ['sh', '-c', 'kill -9 $(cat /run/lab/agent.pid)']);
    assert.ok(await reaches('h1', 'h2'), 'while no agent runs there');
    await eventually(
      'the agent is back',
      async () => (await lab.exec('h2', ['pgrep', '-f', 'agent --data'])) !== '',
      20_000,
    );
    assert.equal((await lab.exec('h2', ['pgrep', 'wireguard-go'])).trim(), before, 'the same program goes on');
    await lab.exec('h2', ['pkill', '-9', 'wireguard-go']);
    await eventually('it is made good', () => reaches('h1', 'h2'), 30_000);
  });
});
