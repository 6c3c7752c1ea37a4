import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isReady, podsOf, serviceOf } from './cluster.ts';
import { eventually, run, startLab, type TestLab } from './lab.ts';

const file = join(import.meta.dirname, '../../examples/compose/compose.yaml');

describe('a Compose file with Postgres', { timeout: 240_000 }, () => {
  let lab: TestLab;
  before(async () => {
    lab = await startLab({ name: 'e2ecompose', octet: 211, hosts: 2 });
  });
  after(() => lab?.down());

  const url = () =>
    eventually('web to run', async () => {
      const web = (await podsOf(lab, 'compose')).find((pod) => serviceOf(pod) === 'web' && isReady(pod));
      return web && `http://${web.status?.hostIP}:8081/`;
    });
  const curl = async (...args: string[]) =>
    eventually('an answer', async () => {
      const ended = await run(['curl', '-sS', '--fail', '-m', '5', ...args, await url()]);
      if (ended.code !== 0) throw new Error(ended.stderr);
      return ended.stdout;
    });

  it('runs as it is; what has no effect is said', async () => {
    const ended = await lab.tryFlotilla(['deploy', '-f', file], { timeoutMs: 120_000 });
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stderr, /warning: .*compose\.yaml:1:1: "version: 3\.8" has no effect/);
    assert.match(ended.stdout, /compose is running: db 1\/1 {2}web 1\/1/);
    await curl('-d', 'remember the milk');
    assert.match(await curl(), /1 notes[\s\S]*1: remember the milk/);
  });

  it('the data survives rm and a new deploy, and goes with --volumes', async () => {
    const node = (await podsOf(lab, 'compose')).find((pod) => serviceOf(pod) === 'db')?.spec.nodeName;
    await lab.flotilla(['rm', 'compose']);
    assert.deepEqual(await podsOf(lab), []);
    await lab.flotilla(['deploy', '-f', file], { timeoutMs: 120_000 });
    assert.match(await curl(), /1 notes[\s\S]*1: remember the milk/);
    assert.equal((await podsOf(lab, 'compose')).find((pod) => serviceOf(pod) === 'db')?.spec.nodeName, node);
    await lab.flotilla(['rm', 'compose', '--volumes']);
    await lab.flotilla(['deploy', '-f', file], { timeoutMs: 120_000 });
    assert.match(await curl(), /^0 notes/);
  });
});
