// One lab a backend: every way to a server works from every host, and nobody on the wire reads along where it says so.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Kubectl } from '../integration/kubectl.ts';
import { isReady, kubectlOf, podsOf, serviceOf } from './cluster.ts';
import { eventually, startLab, type TestLab } from './lab.ts';

const marker = 'flotilla-marker-4711';
const file = `name: ways
services:
  web:
    image: busybox
    instances: 3
    command: [sh, -c, 'echo "${marker} $$(hostname)" > /tmp/index.html; exec httpd -f -p 8080 -h /tmp']
    healthcheck: {test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/"], interval: 2s, timeout: 1s, retries: 3}
  client:
    image: busybox
    instances: 3
    command: [sh, -c, 'trap "exit 0" TERM; sleep 36000 & wait']
`;
const nodePortService = {
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'door', namespace: 'ways' } },
  spec: {
    type: 'NodePort',
    selector: { 'flotilla.dev/stack': 'ways', 'flotilla.dev/service': 'web' },
    ports: [{ port: 80, targetPort: 8080, nodePort: 31_080 }],
  },
};
const backends = [
  { overlay: 'host-gw', octet: 111, isSecret: false },
  { overlay: 'vxlan', octet: 112, isSecret: false },
  { overlay: 'wireguard', octet: 113, isSecret: true },
] as const;

for (const { overlay, octet, isSecret } of backends) {
  describe(`three hosts over ${overlay}`, { timeout: 200_000 }, () => {
    let lab: TestLab;
    let kubectl: Kubectl;
    let directory: string;
    before(async () => {
      directory = await mkdtemp(join(tmpdir(), 'flotilla-ways-'));
      await writeFile(join(directory, 'stack.yml'), file);
      lab = await startLab({ name: `e2e${overlay.slice(0, 4)}`, octet, flags: ['--overlay', overlay] });
      await lab.flotilla(['deploy', '-f', join(directory, 'stack.yml')], { timeoutMs: 90_000 });
      kubectl = await kubectlOf(lab, '35');
      await kubectl.ok(['apply', '-f', '-'], JSON.stringify(nodePortService));
    });
    after(async () => {
      await lab?.down();
      await rm(directory, { recursive: true, force: true });
    });

    const ready = async (service: string) =>
      (await podsOf(lab, 'ways')).filter((pod) => serviceOf(pod) === service && isReady(pod));

    it('a pod on each host reaches a server on each host by address, name, service address and node port', async () => {
      const [servers, clients] = await Promise.all([ready('web'), ready('client')]);
      const hosts = ['h1', 'h2', 'h3'];
      assert.deepEqual(servers.map(({ spec }) => spec.nodeName).sort(), hosts);
      assert.deepEqual(clients.map(({ spec }) => spec.nodeName).sort(), hosts);
      const all = servers.map(({ metadata }) => `${marker} ${metadata.name}`).sort();
      const { spec } = JSON.parse(await kubectl.ok(['-n', 'ways', 'get', 'service', 'door', '-o', 'json']));
      const ways: readonly string[] = [
        ...servers.map(({ status }) => `${status?.podIP}:8080`),
        ...['web:8080', `${spec.clusterIP}:80`, ...[1, 2, 3].map((host) => `${lab.prefix}.${host}:31080`)],
      ];
      // Twelve calls a way: the chance that one of three servers is never met is one in forty.
      const script = `for way in ${ways.join(' ')}; do for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "$way $(timeout 3 wget -q -O - http://$way/)"; done; done`;
      await Promise.all(
        clients.map(async ({ metadata }) => {
          const lines = (await lab.flotilla(['exec', `ways/${metadata.name}`, '--', 'sh', '-c', script]))
            .trim()
            .split('\n');
          assert.equal(lines.length, ways.length * 12);
          for (const way of ways) {
            const answers = lines
              .filter((line) => line.startsWith(`${way} `))
              .map((line) => line.slice(way.length + 1));
            const server = servers.find(({ status }) => way === `${status?.podIP}:8080`);
            const expected = server ? [`${marker} ${server.metadata.name}`] : all;
            for (const answer of answers)
              assert.ok(expected.includes(answer), `${metadata.name} → ${way}: "${answer}"`);
          }
        }),
      );
    });

    it(isSecret ? 'nobody on the wire reads along' : 'the wire shows what is said (the control)', async () => {
      const [client] = await ready('client');
      const server = (await ready('web')).find(({ spec }) => spec.nodeName !== client?.spec.nodeName);
      const wire = await listen(lab);
      const url = `http://${server?.status?.podIP}:8080/`;
      for (let turn = 0; turn < 5; turn++) {
        const answer = await lab.flotilla([
          'exec',
          `ways/${client?.metadata.name}`,
          '--',
          'timeout',
          '3',
          'wget',
          '-q',
          '-O',
          '-',
          url,
        ]);
        assert.match(answer, new RegExp(marker));
      }
      await eventually('packets on the wire', async () => wire.bytes() > 1_000);
      const seen = await wire.stop();
      assert.equal(seen.includes(marker), !isSecret);
    });

    it('doctor finds nothing wrong, and full-size packets arrive', async () => {
      const said = await lab.flotilla(['doctor', 'network']);
      assert.match(said, /all is well: 3 nodes, 6 directions/);
      const way = overlay === 'host-gw' ? 'route' : overlay;
      assert.equal(said.split('\n').filter((line) => / → /.test(line) && line.includes(` ${way} `)).length, 6);
      if (isSecret) assert.match(said, /note +h1: node h1 encrypts with wireguard-go/);
    });
  });
}

/** Everything that passes the switch between the hosts. */
async function listen(lab: TestLab): Promise<{ bytes(): number; stop(): Promise<string> }> {
  const child: ChildProcess = spawn(
    'nsenter',
    [`--net=/run/netns/fllab-${lab.name}-sw`, 'tcpdump', '-i', 'any', '-s', '0', '-U', '-w', '-', 'not port 7443'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (text: Buffer) => /listening on/.test(text.toString()) && resolve());
    child.once('exit', (code) => reject(new Error(`tcpdump ended with ${code}`)));
  });
  return {
    bytes: () => chunks.reduce((sum, { length }) => sum + length, 0),
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      return Buffer.concat(chunks).toString('latin1');
    },
  };
}
