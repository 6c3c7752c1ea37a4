import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { describeRuntime } from '../../src/adapters/runtime/contract.ts';
import { createDockerRuntime } from '../../src/adapters/runtime/docker.ts';
import type { ContainerRuntime, ContainerSpec } from '../../src/adapters/runtime/port.ts';
import { hasCode } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { hostLabels } from '../../src/resources/names.ts';
import { busyboxImage, type DockerDaemon, dockerIsMissing, startDockerDaemon } from './docker-daemon.ts';

const missing = dockerIsMissing();
if (missing !== undefined) {
  if (process.env.CI) throw new Error(`this test needs Docker: ${missing}`);
  it('container runtime: docker', { skip: missing });
} else {
  let daemon: DockerDaemon;
  let runtime: ContainerRuntime;
  const network = {
    name: 'flotilla',
    bridgeName: 'fl0',
    subnet: '10.80.7.0/24',
    gateway: '10.80.7.1',
    mtu: 1500,
    labels: {},
    trustedInterfaces: ['eth0'],
  };
  before(async () => {
    daemon = await startDockerDaemon();
    runtime = createDockerRuntime({ socketPath: daemon.socketPath, exec: daemon.hostExec, log: silentLogger });
    await runtime.ensureNetwork(network);
  });
  after(() => daemon.stop());

  describeRuntime('docker', async () => ({
    runtime,
    image: busyboxImage,
    networkName: 'flotilla',
    addresses: ['10.80.7.2', '10.80.7.3'],
    pause: async (id) => void (await daemon.docker('pause', id)),
    close: async () => {},
  }));

  describe('container runtime: what only the real engine shows', () => {
    const spec = (name: string, script: string, change: Partial<ContainerSpec> = {}): ContainerSpec => ({
      name: `fl_real_${name}`,
      image: busyboxImage,
      labels: { [hostLabels.podUid]: name, [hostLabels.container]: 'main', [hostLabels.attempt]: '0' },
      entrypoint: ['/bin/sh', '-c', script],
      environment: [],
      network: { name: 'flotilla', address: '10.80.7.9' },
      ports: [],
      mounts: [],
      ...change,
    });
    const run = async (one: ContainerSpec) => {
      const id = await runtime.create(one);
      await runtime.start(id);
      return id;
    };
    const ended = async (id: string) => {
      for (;;) {
        const seen = await runtime.inspect(id);
        if (seen?.state === 'exited') return seen;
      }
    };
    const eventually = async (what: string, isSo: () => Promise<boolean>) => {
      const deadlineMs = performance.now() + 10_000;
      while (!(await isSo())) {
        assert.ok(performance.now() < deadlineMs, `not within 10 s: ${what}`);
        await delay(50);
      }
    };
    const signal = () => new AbortController().signal;

    it('separates the streams of a log, in full, with and without limits', async () => {
      const id = await run(spec('log', 'echo one; echo two >&2; echo three'));
      await ended(id);
      const read = async (options: { tailLines?: number; timestamps?: boolean }) => {
        const texts = { stdout: '', stderr: '' };
        const log = await runtime.logs(id, { follow: false, timestamps: false, ...options }, signal());
        for await (const { stream, data } of log.lines) texts[stream] += data.toString('utf8');
        return texts;
      };
      assert.deepEqual(await read({}), { stdout: 'one\nthree\n', stderr: 'two\n' });
      assert.equal((await read({ tailLines: 1 })).stdout + (await read({ tailLines: 1 })).stderr !== '', true);
      assert.match((await read({ timestamps: true })).stderr, /^\d{4}-\d\d-\d\dT.*Z two\n$/);
      await runtime.remove(id);
    });

    it('follows a log until the container ends', async () => {
      const id = await run(spec('follow', 'echo first; sleep 0.3; echo last'));
      let text = '';
      const log = await runtime.logs(id, { follow: true, timestamps: false }, signal());
      for await (const { data } of log.lines) text += data.toString('utf8');
      assert.equal(text, 'first\nlast\n');
      await runtime.remove(id);
    });

    it('gives a command its input, its output apart, and its exit code', async () => {
      const id = await run(spec('exec', 'sleep 1000'));
      const command = ['/bin/sh', '-c', 'cat; echo oops >&2; exit 7'];
      const session = await runtime.exec(id, { command, tty: false, stdin: true }, signal());
      let [out, err] = ['', ''];
      session.stdout.on('data', (chunk) => (out += chunk));
      session.stderr.on('data', (chunk) => (err += chunk));
      session.stdin?.write('hello\n');
      session.stdin?.end();
      assert.equal(await session.exitCode(), 7);
      assert.deepEqual([out, err], ['hello\n', 'oops\n']);
      await runtime.remove(id);
    });

    it('resizes a terminal', async () => {
      const id = await run(spec('tty', 'sleep 1000'));
      const command = ['/bin/sh', '-c', 'sleep 0.3; stty size'];
      const session = await runtime.exec(id, { command, tty: true, stdin: false }, signal());
      let out = '';
      session.stdout.on('data', (chunk) => (out += chunk));
      await session.resize(132, 43);
      assert.equal(await session.exitCode(), 0);
      assert.match(out, /43 132/);
      await runtime.remove(id);
    });

    it('a terminal shows what comes after the end of its input; its command is hung up when nobody is there any more', async () => {
      const id = await run(spec('hangup', 'sleep 1000'));
      const abort = new AbortController();
      const command = ['/bin/sh', '-c', 'read word; sleep 0.3; echo "got $word"; exec sleep 4777'];
      const session = await runtime.exec(id, { command, tty: true, stdin: true }, abort.signal);
      const said = Promise.withResolvers<void>();
      let out = '';
      session.stdout.on('data', (chunk) => {
        out += chunk;
        if (out.includes('got hello')) said.resolve();
      });
      session.stdin?.end('hello\n');
      await said.promise;
      const isRunning = async () => (await daemon.docker('top', id)).includes('sleep 4777');
      await eventually('the command', isRunning);
      abort.abort();
      await eventually('its end', async () => !(await isRunning()));
      await runtime.remove(id);
    });

    it('joins a container’s own process: its outputs apart, its input, and the end of it', async () => {
      const id = await run(
        spec('attach', 'read word; echo "got $word"; cat; echo oops >&2', { openStdin: true, stdinOnce: true }),
      );
      const session = await runtime.attach(id, { stdin: true, withLog: true }, signal());
      let [out, err] = ['', ''];
      session.stdout.on('data', (chunk) => (out += chunk));
      session.stderr.on('data', (chunk) => (err += chunk));
      session.stdin?.write('hello\n');
      session.stdin?.end('more');
      assert.equal(await session.exitCode(), 0);
      assert.deepEqual([out, err], ['got hello\nmore', 'oops\n']);
      assert.equal((await ended(id)).exitCode, 0);
      await runtime.remove(id);
    });

    it('who joins hears what was said before only when he asks for it', async () => {
      const id = await run(spec('joined', 'echo before; read word', { openStdin: true }));
      await eventually('the log', async () => (await daemon.docker('logs', id)).includes('before'));
      for (const [withLog, words] of [
        [true, 'before\n'],
        [false, ''],
      ] as const) {
        const abort = new AbortController();
        const session = await runtime.attach(id, { stdin: false, withLog }, abort.signal);
        let out = '';
        session.stdout.on('data', (chunk) => (out += chunk));
        await eventually('its words', async () => out === words);
        abort.abort();
      }
      await runtime.remove(id);
    });

    it('a line longer than what the engine keeps in one piece has one time', async () => {
      const id = await run(spec('long', 'busybox head -c 40000 /dev/zero | busybox tr "\\0" x; echo'));
      await ended(id);
      let text = '';
      const log = await runtime.logs(id, { follow: false, timestamps: true }, signal());
      for await (const { data } of log.lines) text += data.toString('utf8');
      assert.match(text, /^\S{20,35} x{40000}\n$/);
      await runtime.remove(id);
    });

    it('shows why a command that does not exist did not start', async () => {
      const id = await runtime.create(spec('nope', '', { entrypoint: ['/bin/nope'] }));
      await assert.rejects(runtime.start(id), /nope/);
      const seen = await runtime.inspect(id);
      assert.deepEqual([seen?.state, seen?.exitCode], ['exited', 127]);
      assert.match(seen?.error ?? '', /\/bin\/nope/);
      await runtime.remove(id);
    });

    it('kills what eats more memory than its limit, and says so', async () => {
      // A child, a second before the end: the engine misses a cause that is told when the container's cgroup is gone.
      const eat =
        '(x=$(cat /dev/zero | busybox tr "\\\\0" x | busybox head -c 100000000); echo $x); busybox sleep 1; exit 137';
      const id = await run(spec('oom', eat, { memoryLimitBytes: 16 * 2 ** 20 }));
      await ended(id);
      // The engine hears of the end and of its cause apart, in either order.
      const deadlineMs = performance.now() + 5_000;
      while (!(await runtime.inspect(id))?.wasOomKilled)
        assert.ok(performance.now() < deadlineMs, 'not told within 5 s');
      await runtime.remove(id);
    });

    it('ends a running stop at once when a second one has a shorter grace', async () => {
      const id = await run(spec('stubborn', 'trap "" TERM; while :; do sleep 1; done'));
      const startMs = performance.now();
      const first = runtime.stop(id, 30);
      await runtime.stop(id, 0);
      await first;
      assert.ok(performance.now() - startMs < 8_000);
      assert.equal((await runtime.inspect(id))?.exitCode, 137);
      await runtime.remove(id);
    });

    it('mounts our own resolv.conf and leaves it alone', async () => {
      const source = `${daemon.directory}/resolv.conf`;
      await daemon.exec(['sh', '-c', `echo "nameserver 10.80.7.1" > ${source}`]);
      const mounts = [{ type: 'bind', source, target: '/etc/resolv.conf', readOnly: true } as const];
      const id = await run(spec('resolv', 'cat /etc/resolv.conf', { mounts }));
      await ended(id);
      let text = '';
      const log = await runtime.logs(id, { follow: false, timestamps: false }, signal());
      for await (const { data } of log.lines) text += data.toString('utf8');
      assert.equal(text, 'nameserver 10.80.7.1\n');
      await runtime.remove(id);
    });

    it('makes the network anew when its range changes and nobody is in it', async () => {
      const other = { ...network, name: 'second', bridgeName: 'fl1', subnet: '10.80.8.0/24', gateway: '10.80.8.1' };
      await runtime.ensureNetwork(other);
      await runtime.ensureNetwork({ ...other, subnet: '10.80.9.0/24', gateway: '10.80.9.1' });
      assert.match(await daemon.docker('network', 'inspect', 'second'), /10\.80\.9\.1/);
      await daemon.docker('network', 'rm', 'second');
    });

    it('makes it anew with another MTU, and no route that has its address goes meanwhile', async () => {
      const other = { ...network, name: 'second', bridgeName: 'fl1', subnet: '10.80.8.0/24', gateway: '10.80.8.1' };
      await runtime.ensureNetwork(other);
      const lookup = () => daemon.exec(['ip', 'route', 'get', '10.80.200.7', 'from', '10.80.8.1']);
      const kept = () => daemon.exec(['ip', 'address', 'show', 'dev', 'lo']);
      await daemon.exec(['ip', 'route', 'add', '10.80.200.0/24', 'dev', 'lo', 'src', '10.80.8.1']);
      const routes = await daemon.exec(['ip', 'route', 'show', '10.80.200.0/24']);
      await runtime.ensureNetwork({ ...other, mtu: other.mtu - 80 });
      assert.match(await daemon.docker('network', 'inspect', 'second'), new RegExp(`"${other.mtu - 80}"`));
      assert.equal(await daemon.exec(['ip', 'route', 'show', '10.80.200.0/24']), routes);
      assert.match(await lookup(), /10\.80\.8\.1/);
      assert.doesNotMatch(await kept(), /10\.80\.8\.1/);
      // An agent that was killed meanwhile.
      await daemon.exec(['ip', 'address', 'add', '10.80.8.1/32', 'dev', 'lo']);
      await runtime.ensureNetwork({ ...other, mtu: other.mtu - 80 });
      assert.doesNotMatch(await kept(), /10\.80\.8\.1/);
      assert.equal(await daemon.exec(['ip', 'route', 'show', '10.80.200.0/24']), routes);
      await daemon.docker('network', 'rm', 'second');
    });

    it('leaves a network that is in use with another MTU, and refuses one with another range by name', async () => {
      const id = await run(spec('inside', 'sleep 1000'));
      const mtu = () =>
        daemon.docker('network', 'inspect', '-f', '{{index .Options "com.docker.network.driver.mtu"}}', 'flotilla');
      const before = await mtu();
      await runtime.ensureNetwork({ ...network, mtu: network.mtu - 80 });
      assert.equal(await mtu(), before);
      const moved = { ...network, subnet: '10.80.9.0/24', gateway: '10.80.9.1' };
      await assert.rejects(
        runtime.ensureNetwork(moved),
        /range 10\.80\.7\.0\/24 instead of 10\.80\.9\.0\/24 and 1 running/,
      );
      await runtime.remove(id);
      await runtime.ensureNetwork({ ...network, mtu: network.mtu - 80 });
      assert.notEqual(await mtu(), before, 'nobody is in it any more');
      await runtime.ensureNetwork(network);
    });

    it('says that a registry cannot be reached, to be tried again', async () => {
      const pulling = runtime.pull('127.0.0.1:1/acme/web:9', () => {}, signal());
      await assert.rejects(pulling, (error) => hasCode(error, 'ImagePullFailed') && error.retryable);
    });

    it('lists again after the daemon was killed; containers lived on', async () => {
      const id = await run(spec('survivor', 'sleep 1000'));
      const pid = (await runtime.inspect(id))?.pid;
      const abort = new AbortController();
      let resyncs = 0;
      const back = Promise.withResolvers<void>();
      const first = Promise.withResolvers<void>();
      runtime.watch(
        {
          onResync: () => {
            resyncs++;
            first.resolve();
            if (resyncs > 1) back.resolve();
          },
          onContainer: () => {},
          onDisconnect: () => {},
        },
        abort.signal,
      );
      await first.promise;
      await daemon.restart();
      await back.promise;
      abort.abort();
      assert.equal((await runtime.inspect(id))?.pid, pid);
      await runtime.remove(id);
    });
  });
}
