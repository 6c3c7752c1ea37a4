import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { bin, eventually, startLab, type TestLab } from './lab.ts';

/** One host of a lab that has Docker only stands for "this machine". */
describe('flotilla up', { timeout: 120_000 }, () => {
  let lab: TestLab;
  let directory: string;
  let up: ChildProcess | undefined;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-up-'));
    lab = await startLab({ name: 'e2eup', octet: 216, hosts: 1, withFlotilla: false });
  });
  after(async () => {
    up?.kill('SIGKILL');
    await lab?.down();
    await rm(directory, { recursive: true, force: true });
  });

  const environment = () => ['env', `FLOTILLA_CONFIG=${directory}/config.json`];
  const onHost = (...args: string[]) => lab.exec('h1', [...environment(), bin, ...args], { timeoutMs: 60_000 });
  const start = () => {
    const words = [
      ...environment(),
      bin,
      'up',
      '--data',
      join(directory, 'data'),
      '--name',
      'solo',
      '--address',
      `${lab.prefix}.1`,
    ];
    up = spawn(bin, ['lab', 'exec', '--name', lab.name, 'h1', '--', ...words], {
      env: { ...process.env, ...lab.env },
      stdio: 'ignore',
    });
    return eventually('the node to be ready', async () => /^solo +Ready/m.test(await onHost('node', 'ls')), 30_000);
  };
  const stop = async () => {
    const pid = (await lab.exec('h1', ['pgrep', '-f', 'main.[tj]s up --data'])).trim().split('\n')[0] ?? '';
    const ended = once(up ?? assert.fail('not started'), 'close');
    await lab.exec('h1', ['kill', '-TERM', pid]);
    assert.deepEqual(await ended, [0, null]);
  };
  const started = async () =>
    (await lab.exec('h1', ['docker', 'ps', '-q', '--no-trunc', '--filter', 'label=flotilla.dev/managed'])).trim();

  it('makes one machine a cluster, its context current', async () => {
    await start();
    await writeFile(
      join(directory, 'stack.yml'),
      'name: one\nservices:\n  app:\n    image: busybox\n    command: [sh, -c, "trap \\"exit 0\\" TERM; sleep 36000 & wait"]\n',
    );
    assert.match(await onHost('deploy', '-f', join(directory, 'stack.yml')), /one is running: app 1\/1/);
    assert.match(await onHost('context', 'ls'), /^\* +local/m);
    assert.match(await onHost('server', 'status'), /nodes +1 of 1 ready/);
    const curl = ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', 'http://127.0.0.1/'];
    await eventually('its proxy', async () => (await lab.exec('h1', curl)) === '404');
  });

  it('ends cleanly and starts again; the container notices neither', async () => {
    const before = await started();
    assert.notEqual(before, '');
    await stop();
    assert.equal(await started(), before);
    await start();
    await eventually('the instance as before', async () => /app-\S+ +solo +Running +yes +0 /.test(await onHost('ps')));
    assert.equal(await started(), before);
    await stop();
  });

  it('says what is missing where systemd did not start the machine', async () => {
    const ended = await lab.tryFlotilla(['up', '--install']);
    assert.equal(ended.code, 1);
    assert.match(
      ended.stderr,
      /error: this machine was not booted with systemd[\s\S]*hint: run "flotilla up" without --install/,
    );
  });
});
