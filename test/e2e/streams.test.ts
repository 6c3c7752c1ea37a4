// What goes on between a user's terminal and a container: exec, attach, cp, port-forward and logs, by kubectl and by flotilla.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { allKubectlVersions, type KubectlVersion, kubectlProgram } from '../integration/kubectl.ts';
import { bin, type Ended, eventually, httpGet, run, startLab, type TestLab } from './lab.ts';

const webProgram = `
const http = require('http');
let n = 0;
const answer = (where) => (request, response) => {
  let bytes = 0;
  request.on('data', (chunk) => { bytes += chunk.length; });
  request.on('end', () => {
    if (request.url === '/large') return response.end(Buffer.alloc(50 * 2 ** 20, 7));
    response.end(where + ' ' + ++n + ' got ' + bytes);
  });
};
http.createServer(answer('all')).listen(8080);
http.createServer(answer('inside')).listen(8081, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
console.log('up');
`;
const teller = 'i=0; while true; do i=$((i+1)); echo "line $i"; echo; echo "err $i" >&2; sleep 0.2; done';
const pod = (name: string, container: object, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'main', image: 'node:24-alpine', ...container }],
    ...more,
  },
});
const manifest = {
  apiVersion: 'v1',
  kind: 'List',
  items: [
    pod('web', { command: ['node', '-e', webProgram] }),
    pod('teller', { command: ['sh', '-c', `trap 'exit 0' TERM; ${teller}`] }),
    pod('crasher', { command: ['sh', '-c', 'echo first; echo run $(cat /proc/uptime); sleep 1; exit 3'] }),
    pod('long', { command: ['sh', '-c', 'head -c 40000 /dev/zero | tr "\\0" x; echo; sleep 1000'] }),
    pod('shell', { command: ['sh'], stdin: true, tty: true }),
  ],
};

describe('streams', { timeout: 280_000 }, () => {
  let lab: TestLab;
  let directory: string;
  let kubeconfig: string;
  before(async () => {
    lab = await startLab({ name: 'e2estream', octet: 232, hosts: 1 });
    directory = await mkdtemp(join(tmpdir(), 'flotilla-streams-'));
    kubeconfig = join(directory, 'config');
    await writeFile(kubeconfig, await lab.flotilla(['kubeconfig']), { mode: 0o600 });
    const kubectl = await kubectlProgram('35');
    const ok = async (...args: string[]) => {
      const ended = await run([kubectl, '--kubeconfig', kubeconfig, ...args], { stdin: JSON.stringify(manifest) });
      assert.equal(ended.code, 0, ended.stderr);
    };
    await ok('apply', '-f', '-');
    await ok('wait', '--for=condition=Ready', 'pod/web', 'pod/teller', 'pod/shell', 'pod/long', '--timeout=60s');
  });
  after(async () => {
    await lab?.down();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  for (const version of allKubectlVersions) describe(`kubectl 1.${version}`, () => kubectlSuite(version));

  function kubectlSuite(version: KubectlVersion): void {
    let argv: readonly string[];
    before(async () => {
      argv = [await kubectlProgram(version), '--kubeconfig', kubeconfig, '--cache-dir', join(directory, version)];
    });
    const k = (args: readonly string[], stdin?: string): Promise<Ended> =>
      run([...argv, ...args], stdin === undefined ? {} : { stdin });
    const ok = async (args: readonly string[], stdin?: string): Promise<string> => {
      const ended = await k(args, stdin);
      assert.equal(ended.code, 0, `${args.join(' ')}: ${ended.stderr}`);
      return ended.stdout;
    };
    /** On a terminal of its own. */
    const onTerminal = (args: readonly string[], typed: string) =>
      run(['script', '-qec', `stty rows 33 cols 77; ${[...argv, ...args].map(quoted).join(' ')}`, '/dev/null'], {
        stdin: typed,
      });

    it('exec -it: a terminal with a size, and the exit code', async () => {
      // kubectl tells the size beside the input, not before it: nobody types as fast as a test.
      const isSized = 'for i in 1 2 3 4 5 6 7 8 9; do [ "$(stty size)" = "33 77" ] && break; sleep 0.2; done';
      const typed = `${isSized}; stty size; echo a$((1+1))b; exit 4\n`;
      const ended = await onTerminal(['exec', '-it', 'web', '--', 'sh'], typed);
      assert.match(ended.stdout, /a2b/);
      assert.match(ended.stdout, /\n33 77\r?\n/);
      assert.equal(ended.code, 4, ended.stdout);
    });

    it('exec -i: what goes in comes out', async () => {
      const text = 'x'.repeat(999).concat('\n').repeat(2_000);
      assert.equal(await ok(['exec', '-i', 'web', '--', 'cat'], text), text);
      assert.equal((await k(['exec', 'web', '--', 'sh', '-c', 'exit 9'])).code, 9);
    });

    it('cp there and back', async () => {
      const file = join(directory, 'there');
      const bytes = randomBytes(3_000_000);
      await writeFile(file, bytes);
      await ok(['cp', file, 'web:/tmp/copy']);
      await ok(['cp', 'web:/tmp/copy', `${file}-back`]);
      assert.equal(sha(await readFile(`${file}-back`)), sha(bytes));
    });

    it('port-forward: to the pod, to its own 127.0.0.1, 50 MB both ways', async () => {
      const { child, ports } = await forward([...argv, 'port-forward', 'pod/web', ':8080', ':8081'], 2);
      try {
        assert.match((await httpGet(`http://127.0.0.1:${ports[0]}/`)).body, /^all \d+ got 0$/);
        assert.match((await httpGet(`http://127.0.0.1:${ports[1]}/`)).body, /^inside \d+ got 0$/);
        await largeBothWays(ports[0]!);
      } finally {
        await kill(child);
      }
    });

    it('attach -it to a shell', async () => {
      const ended = await onTerminal(['attach', '-it', 'shell'], `echo ${version}-$((20+3))\nexit\n`);
      assert.match(ended.stdout, new RegExp(`${version}-23`));
    });

    it('run -i --rm: input, output, exit code, and nothing left', async () => {
      const args = ['run', `once${version}`, '-i', '--rm', '--restart=Never', '--image=busybox', '-q', '--'];
      const ended = await k([...args, 'sh', '-c', 'wc -c; exit 5'], 'twelve bytes');
      assert.match(ended.stdout, /^12\n/, ended.stderr);
      assert.equal(ended.code, 5, ended.stderr);
      assert.equal(await ok(['get', 'pods', '-o', 'name', '--field-selector', `metadata.name=once${version}`]), '');
    });

    it('logs: -f, --tail, --since, --timestamps, --limit-bytes, --prefix, -l, blank lines', async () => {
      const all = (await ok(['logs', 'teller'])).split('\n');
      assert.deepEqual(all.filter((line) => !line.startsWith('err')).slice(0, 2), ['line 1', '']);
      assert.ok(all.includes('err 1'));
      assert.equal((await ok(['logs', 'teller', '--tail=3'])).split('\n').length, 4);
      assert.ok(!(await ok(['logs', 'teller', '--since=1s'])).includes('line 1\n'));
      assert.match(await ok(['logs', 'teller', '--tail=1', '--timestamps']), /^\d{4}-\d\d-\d\dT[\d:.]+Z ?/);
      assert.match(await ok(['logs', 'teller', '--limit-bytes=4']), /^(line|err )$/);
      const prefixed = await ok(['logs', '-l', 'app=teller', '--prefix', '--all-containers', '--tail=1']);
      assert.match(prefixed, /^\[pod\/teller\/main\] /);
      assert.equal(await ok(['logs', 'web', '-c', 'main', '--since-time=2020-01-01T00:00:00Z']), 'up\n');
      const long = await ok(['logs', 'long', '--timestamps']);
      assert.match(long, /^\S{20,35} x{40000}\n$/);
      const { lines, child } = follow([...argv, 'logs', '-f', 'teller', '--tail=1']);
      await eventually('five more lines', async () => lines.length > 15);
      await kill(child);
    });

    it('logs --previous of a container that was started anew', async () => {
      await eventually('a restart', async () => {
        const count = await ok(['get', 'pod', 'crasher', '-o', 'jsonpath={.status.containerStatuses[0].restartCount}']);
        return Number(count) > 0;
      });
      assert.match(await ok(['logs', 'crasher', '--previous']), /^first\nrun [\d. ]+\n$/);
    });
  }

  describe('flotilla', () => {
    const onTerminal = (args: readonly string[], typed: string) =>
      run(['script', '-qec', `stty rows 33 cols 77; ${[bin, ...args].map(quoted).join(' ')}`, '/dev/null'], {
        stdin: typed,
        env: lab.env,
      });

    it('exec -it: a terminal with a size, and the exit code', async () => {
      const ended = await onTerminal(['exec', '-it', 'web', '--', 'sh'], 'stty size; echo a$((1+1))b; exit 4\n');
      assert.match(ended.stdout, /\n33 77\r?\n/);
      assert.match(ended.stdout, /a2b/);
      assert.equal(ended.code, 4, ended.stdout);
    });

    it('attach -i to a shell', async () => {
      const ended = await onTerminal(['attach', '-i', 'shell'], 'echo own-$((20+3))\nexit\n');
      assert.match(ended.stdout, /own-23/);
      assert.equal(ended.code, 0, ended.stdout);
    });

    it('cp of a file and of a directory, there and back', async () => {
      const file = join(directory, 'own');
      const bytes = randomBytes(3_000_000);
      await writeFile(file, bytes);
      await lab.flotilla(['cp', file, 'web:/tmp/own-copy']);
      await lab.flotilla(['cp', 'web:/tmp/own-copy', `${file}-back`]);
      assert.equal(sha(await readFile(`${file}-back`)), sha(bytes));
      await lab.flotilla(['exec', 'web', '--', 'sh', '-c', 'mkdir -p /tmp/tree/a && echo x > /tmp/tree/a/b']);
      await lab.flotilla(['cp', 'web:/tmp/tree', join(directory, 'tree')]);
      assert.equal(await readFile(join(directory, 'tree/a/b'), 'utf8'), 'x\n');
      await lab.flotilla(['cp', join(directory, 'tree'), 'web:/tmp/a']);
      assert.equal(await lab.flotilla(['exec', 'web', '--', 'cat', '/tmp/a/a/b']), 'x\n');
      const missing = await lab.tryFlotilla(['cp', 'web:/tmp/nothing', directory]);
      assert.equal(missing.code, 1);
      assert.match(missing.stderr, /web:\/tmp\/nothing: .*No such file/);
    });

    it('port-forward: 50 MB both ways, many at once, also to the pod’s own 127.0.0.1', async () => {
      const { child, ports } = await forward([bin, 'port-forward', 'web', ':8080', ':8081'], 2, lab.env);
      try {
        const url = `http://127.0.0.1:${ports[0]}/`;
        const answers = await Promise.all(Array.from({ length: 20 }, () => httpGet(url)));
        assert.ok(answers.every(({ body }) => body.startsWith('all ')));
        assert.match((await httpGet(`http://127.0.0.1:${ports[1]}/`)).body, /^inside /);
        await largeBothWays(ports[0]!);
      } finally {
        await kill(child);
      }
    });

    it('logs: merged, --tail, --since, --timestamps, blank lines', async () => {
      const all = (await lab.flotilla(['logs', 'teller'])).split('\n').filter((line) => !line.startsWith('err'));
      assert.deepEqual(all.slice(0, 4), ['line 1', '', 'line 2', '']);
      assert.equal((await lab.flotilla(['logs', 'teller', '--tail', '3'])).split('\n').length, 4);
      assert.ok(!(await lab.flotilla(['logs', 'teller', '--since', '1s'])).includes('line 1\n'));
      assert.match(await lab.flotilla(['logs', 'teller', '--tail', '1', '--timestamps']), /^\d{4}-\d\d-\d\dT[\d:.]+Z /);
      const merged = await lab.flotilla(['logs', 'default', '--tail', '1']);
      assert.match(merged, /^teller \| /m);
      assert.match(merged, /^web \| up$/m);
    });

    it('logs -f: no line lost and none twice when the server is killed', async () => {
      const { child, lines } = follow([bin, 'logs', '-f', 'teller', '--tail', '1'], lab.env);
      const told = () => lines.flatMap((line) => /^teller \| line (\d+)$/.exec(line)?.[1] ?? []).map(Number);
      try {
        await eventually('lines', async () => told().length > 3);
        await lab.exec('s1', ['sh', '-c', 'kill -9 $(cat /run/lab/server.pid)']);
        const before = told().at(-1) ?? 0;
        await eventually('lines after the server is back', async () => (told().at(-1) ?? 0) > before + 10, 30_000);
      } finally {
        await kill(child);
      }
      const [first = 0] = told();
      assert.deepEqual(
        told(),
        told().map((_line, index) => first + index),
      );
    });
  });

  it('what was opened is closed: 100 commands and connections leave nothing behind', async () => {
    const kubectl = [await kubectlProgram('35'), '--kubeconfig', kubeconfig];
    const count = async (path: string, name: string) => {
      const ended = await run([...kubectl, 'get', '--raw', path]);
      return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(ended.stdout)?.[1] ?? Number.NaN);
    };
    const { child, ports } = await forward([...kubectl, 'port-forward', 'pod/web', ':8080'], 1);
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 18 }, () => httpGet(`http://127.0.0.1:${ports[0]}/`)));
      await Promise.all([1, 2].map(() => run([...kubectl, 'exec', 'web', '--', 'true'])));
    }
    await kill(child);
    await eventually(
      'no stream left on the server',
      async () => (await count('/metrics', 'flotilla_pod_streams')) === 0,
    );
    await eventually(
      'no stream left on the agent but the one that asks',
      async () => (await count('/api/v1/nodes/h1/proxy/metrics', 'flotilla_agent_streams')) <= 1,
    );
  });

  it('a command on a terminal whose user went away ends; no shell is left', async () => {
    const kubectl = [await kubectlProgram('35'), '--kubeconfig', kubeconfig];
    const words = [...kubectl, 'exec', '-it', 'web', '--', 'sleep', '4232'].map(quoted).join(' ');
    const terminal = spawn('script', ['-qec', `exec ${words}`, '/dev/null'], { stdio: ['pipe', 'ignore', 'ignore'] });
    const running = async () => {
      const script = 'ps | grep -c "[s]leep 4232" || :';
      return Number((await run([...kubectl, 'exec', 'web', '--', 'sh', '-c', script])).stdout);
    };
    await eventually('the command', async () => (await running()) === 1);
    await kill(terminal);
    await eventually('its end', async () => (await running()) === 0);
  });

  it('port-forward ends with the pod', async () => {
    const kubectl = [await kubectlProgram('35'), '--kubeconfig', kubeconfig];
    const { child, ports } = await forward([...kubectl, 'port-forward', 'pod/web', ':8080'], 1);
    assert.equal((await httpGet(`http://127.0.0.1:${ports[0]}/`)).status, 200);
    const ended = once(child, 'close');
    assert.equal((await run([...kubectl, 'delete', 'pod', 'web'])).code, 0);
    assert.equal((await ended)[0], 1);
  });
});

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function sha(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'close');
  child.kill('SIGKILL');
  await ended;
}

function follow(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  return { child, lines };
}

/** A command that says on which local ports it listens. */
async function forward(argv: readonly string[], count: number, env: Readonly<Record<string, string>> = {}) {
  const { child, lines } = follow(argv, env);
  const portsOf = () => lines.flatMap((line) => /127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? []).map(Number);
  await eventually('the local ports', async () => portsOf().length === count);
  return { child, ports: portsOf() };
}

async function largeBothWays(port: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/large`);
  assert.equal((await response.arrayBuffer()).byteLength, 50 * 2 ** 20);
  const sent = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: Buffer.alloc(50 * 2 ** 20, 1) });
  assert.match(await sent.text(), /got 52428800$/);
}
