// What only real containers show of a deploy: one instance updated without a gap, and why one was taken back.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Kubectl } from '../integration/kubectl.ts';
import { collectLines, containersOn, kubectlOf } from './cluster.ts';
import { startLab, type TestLab } from './lab.ts';

/** Answers /up with what STATUS says, and ends at once when told to stop. */
const program =
  "const {createServer} = require('http'); console.log('no database at ' + process.env.TEXT);" +
  ' createServer((q, r) => { r.statusCode = Number(process.env.STATUS); r.end() }).listen(8080);' +
  " process.on('SIGTERM', () => process.exit(0))";

const text = (version: string, status: number, deadline = '1m') => `name: shop
services:
  web:
    image: node:24-alpine
    command: ["node", "-e", "${program}"]
    environment: {TEXT: ${version}, STATUS: "${status}"}
    expose: ["8080"]
    health_check: {protocol: http, port: 8080, uri: /up, interval: 1s, initial_delay: 60s}
    deploy: {auto_rollback: true, deadline: ${deadline}, wait_for_port: 8080}
`;

describe('a deploy', { timeout: 120_000 }, () => {
  let lab: TestLab;
  let kubectl: Kubectl;
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-deploys-'));
    lab = await startLab({ name: 'e2edeploys', octet: 124, hosts: 2 });
    kubectl = await kubectlOf(lab, '35');
  });
  after(async () => {
    await kubectl?.remove();
    await lab?.down();
    await rm(directory, { recursive: true, force: true });
  });

  const deploy = async (file: string) => {
    const path = join(directory, 'flotilla.yml');
    await writeFile(path, file);
    return await lab.tryFlotilla(['deploy', '-f', path], { timeoutMs: 90_000 });
  };
  const running = async () => (await Promise.all(['h1', 'h2'].map((host) => containersOn(lab, host)))).flat().length;

  it('of one instance starts the new one before the old one goes', async () => {
    const first = await deploy(text('one', 200));
    assert.equal(first.code, 0, first.stderr);
    const path = 'jsonpath={.status.availableReplicas}{"\\n"}';
    const watching = collectLines(kubectl.start(['get', 'deployment', 'web', '-n', 'shop', '-w', '-o', path]));
    let fewest = 1;
    let isOver = false;
    const looking = (async () => {
      while (!isOver) fewest = Math.min(fewest, await running());
    })();
    try {
      const second = await deploy(text('two', 200));
      assert.equal(second.code, 0, second.stderr);
    } finally {
      isOver = true;
      await looking;
      await watching.stop();
    }
    assert.equal(fewest, 1, 'a container ran whenever somebody looked');
    const available = watching.lines.map((line) => Number(line.text));
    assert.ok(available.length > 1 && Math.min(...available) >= 1, JSON.stringify(available));
  });

  it('that never answers well is taken back: which check failed, and the end of its log', async () => {
    const bad = await deploy(text('three', 500, '6s'));
    assert.equal(bad.code, 1, bad.stdout);
    assert.match(bad.stderr, /web: revision 3 did not become healthy within its deadline: instance web-\S+ /);
    assert.match(bad.stderr, /Readiness probe failed: .*500/);
    assert.match(bad.stderr, /back to revision 2\nlast lines:\n {2}\| no database at three\n/);
    assert.equal(await running(), 1);
    assert.match(await lab.flotilla(['logs', 'shop/web']), /no database at two/, 'the earlier version runs');
  });
});
