// The whole of the benchmark but for what it measures: client processes, application and collector around a HAProxy that a
// person wrote. Nothing is lost while it is reloaded; what is lost when an instance is killed is told.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { appCommand, type Collector, type Load, startCollector, startLoad } from '../../bench/lossless/load.ts';
import { freePort } from './free-port.ts';
import { type HandWrittenProxy, startHandWrittenProxy } from './lossless-proxy.ts';
import { until } from './until.ts';

const hasHaproxy = spawnSync('haproxy', ['-v']).status === 0;
if (!hasHaproxy && process.env.CI) throw new Error('haproxy is missing');

describe('a load through a proxy', { skip: hasHaproxy ? false : 'haproxy is not installed', timeout: 60_000 }, () => {
  let collector: Collector;
  let proxy: HandWrittenProxy;
  const apps: ChildProcess[] = [];
  const ports: number[] = [];
  const loads: Load[] = [];

  before(async () => {
    collector = await startCollector('127.0.0.1');
    for (let index = 0; index < 3; index++) {
      const port = await freePort();
      ports.push(port);
      apps.push(await startApp(port, `app-${index}`));
    }
    proxy = await startHandWrittenProxy(ports, [await freePort(), await freePort()]);
  });
  after(async () => {
    for (const load of loads) load.kill();
    await proxy?.stop();
    for (const app of apps) app.kill('SIGKILL');
    await collector?.stop();
  });

  async function startApp(port: number, instance: string): Promise<ChildProcess> {
    const [, ...args] = appCommand();
    const env = { ...process.env, PORT: String(port), INSTANCE: instance, COLLECTOR: `127.0.0.1:${collector.port}` };
    const app = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    await once(app.stdout!, 'data');
    return app;
  }

  function start(client: number, slowShare: number): Load {
    const target = (port: number) => [{ address: '127.0.0.1', port }];
    const load = startLoad([
      {
        ...{ client, http: target(proxy.httpPort), https: target(proxy.httpsPort), host: 'web.test', timeoutMs: 5_000 },
        idleConnections: { h1: 20, h2: 5 },
        webSockets: 4,
        plan: {
          ...{ rate: 300, slowShare, slowMs: 500, users: 20, targets: 1 },
          mix: { 'h1-keep-alive': 4, 'h1-new': 2, h2: 3, 'h2-new': 1 },
        },
      },
    ]);
    loads.push(load);
    return load;
  }

  it('is answered whole while the proxy is reloaded, and each request is done once', async () => {
    const load = start(0, 0.02);
    await until('a load', () => load.sent() > 300);
    load.phase('reloads');
    for (let round = 0; round < 5; round++) {
      await proxy.reload();
      await delay(200); // so that the new worker is used before the next one comes
    }
    await until('some more', () => load.sent() > 1_000);
    const [report] = await load.stop();
    assert.ok(report);
    // A stream that crosses the GOAWAY of a worker that leaves is refused in so many words; it was not done.
    const { failures, sent } = report;
    assert.deepEqual(
      failures.filter((one) => one.stage !== 'refused'),
      [],
    );
    const answered = sent - failures.length;
    assert.equal(report.connections.closedIdle.reset, 0);
    const { webSockets } = report.connections;
    assert.deepEqual({ ...webSockets, echoes: 0 }, { opened: 4, echoes: 0, told: 0, cut: 0, notOpened: 0 });
    assert.ok(webSockets.echoes > 0);
    const { verdict, instances } = await collector.check([report]);
    assert.deepEqual(verdict, {
      ...{ logged: answered, answeredNotLogged: [], loggedTwice: [], failedButLogged: [], refusedButLogged: [] },
      unknown: [],
    });
    assert.equal(instances.length, 3);
    const reloads = report.phases.reloads;
    assert.ok(reloads && reloads.answered > 200);
    assert.equal(
      Object.values(report.kinds).reduce((sum, one) => sum + one.answered, 0),
      answered,
    );
    assert.equal(Object.keys(report.kinds).length, 6, 'each kind of connection was used');
  });

  it('tells what is lost when an instance is killed; the log has no id twice', async () => {
    const first = await collector.check([]);
    // Some thirty are under way at any time: who is killed has some.
    const load = start(1, 0.2);
    await until('a load', () => load.sent() > 300);
    apps[0]?.kill('SIGKILL');
    await until('a loss', () => load.failed() > 0);
    apps[0] = await startApp(ports[0]!, 'app-again');
    const [report] = await load.stop();
    assert.ok(report && report.failures.length > 0);
    assert.deepEqual(report.failures.length, report.notAnswered.length);
    const { verdict } = await collector.check([report]);
    assert.deepEqual(verdict.loggedTwice, []);
    assert.deepEqual(verdict.answeredNotLogged, []);
    // HAProxy says of streams whose instance dies that they were not processed, of those too that were.
    const doneAllTheSame = verdict.failedButLogged.length + verdict.refusedButLogged.length;
    const answered = report.sent - report.notAnswered.length;
    assert.equal(verdict.logged - first.verdict.logged, answered + doneAllTheSame);
  });
});
