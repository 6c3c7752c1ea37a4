import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isReady, podsOf, serviceOf } from './cluster.ts';
import { eventually, startLab, type TestLab } from './lab.ts';

const file = `name: net
services:
  web:
    image: busybox
    instances: 3
    command: [sh, -c, 'hostname > /tmp/index.html; exec httpd -f -p 8080 -h /tmp']
    expose: [8080]
    deploy: {endpoint_mode: dnsrr}
    healthcheck: {test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/"], interval: 2s, timeout: 1s, retries: 1}
  client:
    image: busybox
    instances: 3
    command: [sh, -c, 'trap "exit 0" TERM; sleep 36000 & wait']
`;

/** Only its own instances, and the hosts, may connect; everybody to what is published. */
const closedFile = `name: closed
isolate: true
services:
  store:
    stop_grace_period: 1s
    image: busybox
    command: [sh, -c, 'echo store > /tmp/index.html; exec httpd -f -p 8080 -h /tmp']
  door:
    stop_grace_period: 1s
    image: busybox
    ports: ["8099:8080"]
    command: [sh, -c, 'echo door > /tmp/index.html; exec httpd -f -p 8080 -h /tmp']
`;

/** Debian's static busybox crashes in `wget -T`. */
const wget = ['timeout', '2', 'wget', '-q', '-O', '-'];

describe('addresses and names on three hosts', { timeout: 200_000 }, () => {
  let lab: TestLab;
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-net-'));
    lab = await startLab({ name: 'e2enet', octet: 215 });
    await writeFile(join(directory, 'stack.yml'), file);
    await lab.flotilla(['deploy', '-f', join(directory, 'stack.yml')], { timeoutMs: 90_000 });
  });
  after(async () => {
    await lab?.down();
    await rm(directory, { recursive: true, force: true });
  });

  const ofService = async (name: string) =>
    (await podsOf(lab, 'net')).filter((pod) => serviceOf(pod) === name && isReady(pod));
  const inPod = (pod: string, ...argv: string[]) => lab.flotilla(['exec', `net/${pod}`, '--', ...argv]);
  const resolve = async (pod: string, name: string) => {
    const said = await lab.tryFlotilla(['exec', `net/${pod}`, '--', 'nslookup', '-type=a', name]);
    return [...said.stdout.matchAll(/^Address(?: \d+)?: (10\.[\d.]+)$/gm)].map((match) => match[1]).sort();
  };

  it('every instance reaches every other one on its own address and port', async () => {
    const servers = await ofService('web');
    assert.equal(new Set(servers.map((pod) => pod.spec.nodeName)).size, 3);
    for (const client of await ofService('client')) {
      for (const server of servers) {
        const url = `http://${server.status?.podIP}:8080/`;
        assert.equal((await inPod(client.metadata.name, ...wget, url)).trim(), server.metadata.name);
      }
    }
  });

  it('hosts reach them too, and they see the outside of the range', async () => {
    const [server] = await ofService('web');
    for (const host of ['h1', 'h2', 'h3']) {
      assert.match(await lab.exec(host, ['curl', '-s', '-m', '2', `http://${server?.status?.podIP}:8080/`]), /^web-/);
    }
    const [client] = await ofService('client');
    // The switch is not in the range: replies come back only because pods leave with their host's address.
    await inPod(client?.metadata.name ?? '', 'ping', '-c', '1', '-W', '2', `${lab.prefix}.254`);
  });

  it('all forms of a name answer the ready addresses, on every host', async () => {
    const addresses = (await ofService('web')).map((pod) => pod.status?.podIP).sort();
    for (const client of await ofService('client')) {
      for (const name of ['web.net.svc.cluster.local', 'web.net.svc.cluster.local.']) {
        assert.deepEqual(await resolve(client.metadata.name, name), addresses, name);
      }
      for (const name of ['web', 'web.net', 'web.net.svc']) {
        assert.match(await inPod(client.metadata.name, ...wget, `http://${name}:8080/`), /^web-/, name);
      }
    }
  });

  it('an instance that is not ready leaves the name, and comes back', async () => {
    const [client] = await ofService('client');
    const [sick, ...others] = await ofService('web');
    assert.ok(client && sick);
    await inPod(sick.metadata.name, 'rm', '/tmp/index.html');
    const expected = others.map((pod) => pod.status?.podIP).sort();
    await eventually(
      'two addresses',
      async () =>
        JSON.stringify(await resolve(client.metadata.name, 'web.net.svc.cluster.local')) === JSON.stringify(expected),
    );
    await eventually(
      'three again: the liveness probe restarts it',
      async () => (await resolve(client.metadata.name, 'web.net.svc.cluster.local')).length === 3,
      40_000,
    );
  });

  it('a service without instances is a name without addresses; an unknown one is no name', async () => {
    const [client] = await ofService('client');
    await lab.flotilla(['scale', 'net/web=0']);
    await eventually(
      'no addresses',
      async () => (await resolve(client?.metadata.name ?? '', 'web.net.svc.cluster.local')).length === 0,
    );
    const lookUp = async (name: string) => {
      const { stdout, stderr } = await lab.tryFlotilla([
        'exec',
        `net/${client?.metadata.name}`,
        '--',
        'nslookup',
        '-type=a',
        name,
      ]);
      return stdout + stderr;
    };
    assert.doesNotMatch(await lookUp('web.net.svc.cluster.local'), /NXDOMAIN/);
    assert.match(await lookUp('nobody.net.svc.cluster.local'), /NXDOMAIN/);
  });

  it('an isolated stack takes connections of its own instances and the hosts, by every way, and of nobody else', async () => {
    await writeFile(join(directory, 'closed.yml'), closedFile);
    await lab.flotilla(['deploy', '-f', join(directory, 'closed.yml')], { timeoutMs: 60_000 });
    const [store] = (await podsOf(lab, 'closed')).filter((pod) => serviceOf(pod) === 'store');
    const { stdout } = await lab.tryFlotilla([
      'exec',
      'closed/door',
      '--',
      'nslookup',
      '-type=a',
      'store.closed.svc.cluster.local',
    ]);
    const virtual = /^Address: (10\.96\.\S+)$/m.exec(stdout)?.[1] ?? 'no address';
    const ways = [`${store?.status?.podIP}:8080`, 'store.closed:8080', `${virtual}:8080`];
    const clients = await ofService('client');
    for (const way of ways) {
      const url = `http://${way}/`;
      assert.equal(await lab.flotilla(['exec', 'closed/door', '--', ...wget, url]), 'store\n', way);
      await Promise.all(
        clients.map(async ({ metadata }) => {
          const refused = await lab.tryFlotilla(['exec', `net/${metadata.name}`, '--', ...wget, url]);
          assert.notEqual(refused.code, 0, `${metadata.name} → ${way}: ${refused.stdout}`);
        }),
      );
    }
    for (const host of ['h1', 'h2', 'h3']) {
      assert.equal(await lab.exec(host, ['curl', '-s', '-m', '2', `http://${ways[0]}/`]), 'store\n');
    }
    const [client] = clients;
    const [door] = (await podsOf(lab, 'closed')).filter((pod) => serviceOf(pod) === 'door');
    const published = `http://${door?.status?.hostIP}:8099/`;
    assert.equal(await inPod(client?.metadata.name ?? '', ...wget, published), 'door\n');
    await writeFile(join(directory, 'closed.yml'), closedFile.replace('isolate: true', 'isolate: false'));
    await lab.flotilla(['deploy', '-f', join(directory, 'closed.yml')], { timeoutMs: 60_000 });
    await eventually(
      'a stack that is open again to answer',
      async () => (await inPod(client?.metadata.name ?? '', ...wget, `http://${ways[0]}/`)) === 'store\n',
    );
    await lab.flotilla(['rm', 'closed']);
  });

  it('names, addresses and containers go on without a server; a restart of the agent touches no container', async () => {
    await lab.flotilla(['scale', 'net/web=3']);
    const [client] = await ofService('client');
    const host = client?.spec.nodeName ?? '';
    const id = client?.status?.containerStatuses?.[0]?.containerID?.replace('docker://', '') ?? '';
    const startedAt = async () =>
      (await lab.exec(host, ['docker', 'inspect', '-f', '{{.State.StartedAt}}', id])).trim();
    const before = await startedAt();
    await lab.change('off', 's1');
    await lab.exec(host, ['sh', '-c', 'kill -9 $(cat /run/lab/agent.pid)']);
    const ask = () => lab.exec(host, ['docker', 'exec', id, ...wget, 'http://web:8080/']);
    await eventually('names without a server, by an agent that was killed', async () => /^web-/.test(await ask()));
    assert.equal(await startedAt(), before);
    await lab.change('on', 's1');
    await eventually(
      'everything ready as before',
      async () => (await ofService('web')).length === 3 && (await ofService('client')).length === 3,
      40_000,
    );
    assert.equal(await startedAt(), before);
    assert.equal(
      (await podsOf(lab, 'net')).reduce(
        (sum, pod) =>
          sum +
          (pod.metadata.uid === client?.metadata.uid ? (pod.status?.containerStatuses?.[0]?.restartCount ?? 0) : 0),
        0,
      ),
      0,
    );
  });
});
