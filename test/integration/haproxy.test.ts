// HAProxy itself behind the port: one contract with the fake, and what only processes and workers show.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { createServer, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { backend, ingressProxyContract, route, state } from '../../src/adapters/ingress/contract.ts';
import type { AccessEntry, BackendOptions, IngressEndpoint } from '../../src/adapters/ingress/port.ts';
import { exec } from '../../src/lib/exec.ts';
import { ask, type HaproxyHost, openConnection, openHaproxy, openWebSocket } from './haproxy-host.ts';
import { until } from './until.ts';

ingressProxyContract('HAProxy', async () => {
  const host = await openHaproxy();
  return {
    proxy: host.proxy,
    settings: host.settings,
    instance: host.instance,
    ask: async (name, path) => {
      const { status, asked } = await host.ask(name, { path });
      return status === 200 ? `200 ${asked?.instance}` : `${status}`;
    },
    kill: async () => {
      const { master, worker } = await host.processes();
      for (const pid of [master, worker ?? 0]) process.kill(pid, 'SIGKILL');
      await until('HAProxy is gone', async () => (await host.client.list()) === undefined);
    },
    close: host.close,
  };
});

describe('HAProxy while it runs', () => {
  let host: HaproxyHost;
  before(async () => {
    host = await openHaproxy({ sweepAfterMs: 100 });
  });
  after(() => host.close());

  const web = (...numbers: number[]) => backend('shop/web:80', numbers.map(host.instance));
  const apply = (...numbers: number[]) => {
    const one = web(...numbers);
    return host.proxy.apply(state(host, { web: route('web.test', '/', one) }, [one]));
  };
  const serversOf = async (pid: number, section: string) => {
    const printed = await host.client.ask(pid, `show servers state ${section}`);
    const rows = printed.split('\n').filter((line) => /^\d+ /.test(line));
    return new Map(rows.map((row) => row.split(' ')).map((cells) => [cells[3] ?? '', Number(cells[6])]));
  };
  const nameOf = ({ address, port }: { address: string; port: number }) => `${address}:${port}`;

  test('endpoints, hosts, paths and default options take no reload', async () => {
    await apply(1);
    const { worker } = await host.processes();
    assert.equal((await apply(1, 2)).by, 'runtime');
    const one = web(1);
    const names = ['a.test', 'b.test', 'c.test'].map(
      (name) => [name, route(name, '/', backend(`shop/${name}:80`, one.endpoints))] as const,
    );
    const backends = names.map(([name]) => backend(`shop/${name}:80`, one.endpoints));
    const redirected = {
      ...route('web.test', "/it's;(safe)!$&,=~@ä", one),
      options: { redirectsToHttps: true, hstsSeconds: 60 },
    };
    const routes = { web: route('web.test', '/', one), redirected, ...Object.fromEntries(names) };
    const outcome = await host.proxy.apply(state(host, routes, [one, ...backends]));
    assert.deepEqual([...outcome.problems], []);
    assert.equal(outcome.by, 'runtime');
    for (const name of ['a.test', 'b.test', 'c.test']) assert.equal((await host.ask(name)).asked?.instance, 1);
    const moved = await host.ask('web.test', { path: "/it's;(safe)!$&,=~@%C3%A4/x?y=1" });
    assert.equal(moved.status, 308);
    assert.equal(moved.headers.location, `https://web.test:${host.settings.httpsPort}/it's;(safe)!$&,=~@%C3%A4/x?y=1`);
    await apply(1);
    assert.equal((await host.ask('web.test', { path: "/it's;(safe)!$&,=~@%C3%A4/x" })).status, 200);
    assert.equal((await host.ask('a.test')).status, 404);
    assert.equal((await host.processes()).worker, worker);
  });

  test('more services than there are spare backends: one reload, and there are spare ones again', async () => {
    await apply(1);
    const { worker } = await host.processes();
    const many = Array.from({ length: 12 }, (_, at) => backend(`shop/many-${at}:80`, [host.instance(1)]));
    const routes = Object.fromEntries(many.map((one, at) => [`m${at}`, route(`m${at}.test`, '/', one)]));
    assert.equal((await host.proxy.apply(state(host, routes, many))).by, 'reload');
    assert.notEqual((await host.processes()).worker, worker);
    for (let at = 0; at < 12; at++) assert.equal((await host.ask(`m${at}.test`)).status, 200);
    const more = backend('shop/one-more:80', [host.instance(2)]);
    const outcome = await host.proxy.apply(
      state(host, { ...routes, more: route('more.test', '/', more) }, [...many, more]),
    );
    assert.equal(outcome.by, 'runtime');
    assert.equal((await host.ask('more.test')).asked?.instance, 2);
    await apply(1);
  });

  test('an instance that leaves gets nothing more from any worker, old ones too; it may come back', async () => {
    await apply(1, 2);
    const { httpPort, httpsPort } = host.settings;
    const socket = await openWebSocket(httpPort, 'web.test');
    const agents = [new HttpAgent({ keepAlive: true }), new HttpsAgent({ keepAlive: true, rejectUnauthorized: false })];
    /** Over connections that the old worker has. */
    const askOld = (name: string, at: number) =>
      ask(at === 0 ? httpPort : httpsPort, name, {
        isTls: at === 1,
        agent: agents[at],
        headers: { 'x-forwarded-for': '6.6.6.6' },
      });
    for (const at of [0, 1]) assert.equal((await askOld('web.test', at)).status, 200);
    const own = backend('shop/own:80', [host.instance(3)], { balance: 'leastconn' });
    const withOwn = (...numbers: number[]) => {
      const one = web(...numbers);
      const routes = { web: route('web.test', '/', one), own: route('own.test', '/', own) };
      return host.proxy.apply(state(host, routes, [one, own]));
    };
    const before = await host.processes();
    assert.equal((await withOwn(1, 2)).by, 'reload');
    const { worker = 0, oldWorkers } = await host.processes();
    assert.deepEqual(oldWorkers, [before.worker]);
    assert.equal((await withOwn(4)).by, 'runtime');
    for (const at of [0, 1]) {
      const answer = await askOld('web.test', at);
      assert.equal(answer.asked?.instance, 4, 'its last request goes where the newest worker sends it');
      assert.equal(answer.headers.connection, 'close');
      assert.equal(answer.asked?.headers['x-forwarded-for'], '127.0.0.1');
      assert.equal(answer.asked?.headers['x-forwarded-proto'], at === 0 ? 'http' : 'https');
      assert.equal((await askOld('own.test', at)).asked?.instance, 3);
    }
    assert.equal(await socket.send('still there'), 'still there');
    const section = /web\.test\/ ([^|]+)\|/.exec(await host.client.ask(worker, 'show map prefix.map'))?.[1] ?? '';
    const servers = await serversOf(worker, section);
    assert.equal(servers.get(nameOf(host.instance(1))), 1, 'in maintenance');
    assert.equal(servers.get(nameOf(host.instance(4))), 0, 'ready');
    await withOwn(1);
    assert.equal((await host.ask('web.test')).asked?.instance, 1);
    for (const agent of agents) agent.destroy();
    socket.close();
    await until('the old worker ends', async () => (await host.processes()).oldWorkers.length === 0);
  });

  test('a server that left is removed when its last connection has ended', async () => {
    await apply(1);
    const socket = await openWebSocket(host.settings.httpPort, 'web.test');
    await apply(2);
    const { worker = 0 } = await host.processes();
    const isThere = async () =>
      (await host.client.ask(worker, 'show servers state')).includes(nameOf(host.instance(1)));
    assert.equal(await socket.send('alive'), 'alive');
    assert.equal(await isThere(), true);
    socket.close();
    await until('it is removed', async () => !(await isThere()));
    await apply(1);
    assert.equal((await host.ask('web.test')).asked?.instance, 1);
  });

  test('an agent that starts again finds all as it was: nothing is loaded, and it goes on from there', async () => {
    await apply(1, 2);
    const { worker, master } = await host.processes();
    await host.proxy.stop();
    const again = host.again();
    try {
      const one = web(1, 2);
      const same = state(host, { web: route('web.test', '/', one) }, [one]);
      assert.notEqual((await again.apply(same)).by, 'reload');
      const other = web(3);
      assert.equal((await again.apply(state(host, { web: route('web.test', '/', other) }, [other]))).by, 'runtime');
      for (let at = 0; at < 4; at++) assert.equal((await host.ask('web.test')).asked?.instance, 3);
      assert.deepEqual(await host.processes().then((now) => [now.master, now.worker]), [master, worker]);
    } finally {
      await again.stop();
    }
    await apply(1);
  });

  test('a worker that is killed is seen, and there is a new one at once', async () => {
    await apply(1);
    const { worker = 0 } = await host.processes();
    process.kill(worker, 'SIGKILL');
    await until('it is seen', () => host.proxy.hasDrifted());
    await apply(1);
    assert.equal((await host.ask('web.test')).status, 200);
    assert.notEqual((await host.processes()).worker, worker);
    assert.equal(await host.proxy.hasDrifted(), false);
  });

  test('counts by backend, instance and host stay when a worker goes', async () => {
    await apply(1);
    const count = async () => {
      const stats = await host.proxy.stats();
      const { backends, hosts } = stats;
      const found = backends.get('shop/web:80');
      const instance = found?.endpoints.get(nameOf(host.instance(1)));
      return { backend: found?.requests ?? 0, host: hosts.get('web.test')?.requests ?? 0, instance, stats };
    };
    const start = await count();
    for (let at = 0; at < 5; at++) await host.ask('web.test');
    const then = await count();
    assert.equal(then.backend - start.backend, 5);
    assert.equal(then.host - start.host, 5);
    assert.equal(then.instance?.state, 'up');
    assert.match(then.stats.version, /^[2-9]\./);
    const one = backend('shop/web:80', [host.instance(1)], { retries: 1 });
    assert.equal((await host.proxy.apply(state(host, { web: route('web.test', '/', one) }, [one]))).by, 'reload');
    await until('the old worker ends', async () => (await host.processes()).oldWorkers.length === 0);
    const last = await count();
    assert(last.backend >= then.backend, `${last.backend} of ${then.backend}`);
    assert.equal(last.stats.reloads, then.stats.reloads + 1);
  });

  test('it retires: nobody new is let in, and over connections that are left nothing goes to who has left', async () => {
    await apply(1);
    const { httpPort } = host.settings;
    const request = 'GET / HTTP/1.1\r\nHost: web.test\r\n\r\n';
    const line = await openConnection(httpPort);
    assert.match(await line.send(request), /"instance":1/);
    const { worker = 0 } = await host.processes();
    const slow = host.ask('web.test', { headers: { 'x-wait-ms': '1000' } });
    await until('it is asked', async () => /CurrConns: [2-9]/.test(await host.client.ask(worker, 'show info')));
    const retired = host.proxy.retire(20);
    const isShut = () =>
      openConnection(httpPort).then(
        (other) => {
          other.close();
          return false;
        },
        () => true,
      );
    await until('nobody new is let in', isShut);
    assert.equal((await apply(3)).by, 'runtime');
    assert.equal(await host.proxy.hasDrifted(), false);
    const last = await line.send(request);
    assert.match(last, /"instance":3/);
    assert.match(last, /^connection: close/im);
    assert.equal((await slow).asked?.instance, 1, 'what was under way goes on');
    await retired;
    assert.deepEqual((await host.processes()).oldWorkers, []);
    assert.equal(await isShut(), true);
    await host.proxy.end(0);
    await assert.rejects(host.proxy.retire(20), /no HAProxy runs/);
    assert.equal((await apply(1)).by, 'start');
    assert.equal((await host.ask('web.test')).asked?.instance, 1);
  });

  test('the end: connections may finish, then all processes are gone', async () => {
    await apply(1);
    const { master, worker = 0 } = await host.processes();
    const slow = host.ask('web.test', { headers: { 'x-wait-ms': '300' } });
    await until('it is asked', async () => /CurrConns: [1-9]/.test(await host.client.ask(worker, 'show info')));
    await host.proxy.end(10);
    assert.equal((await slow).status, 200);
    const { stdout } = await exec(['ps', '-o', 'pid=', '-p', `${master},${worker}`], { okCodes: [0, 1] });
    assert.equal(stdout.trim(), '');
    assert.deepEqual(await readdir(host.directory), [], 'no key stays');
  });
});

test('HAProxy: whom checks found down is down after a reload, and nobody else; who was out and comes back is up', async () => {
  const host = await openHaproxy();
  let isSick = true;
  const app = createServer(({ url }, response) => {
    const status = url === '/up' && isSick ? 500 : 200;
    response.writeHead(status, { 'x-powered-by': 'test' }).end('{"instance":9}');
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', () => resolve()));
  const sick: IngressEndpoint = { address: '127.0.0.1', port: (app.address() as AddressInfo).port };
  const healthCheck = { type: 'http', path: '/up', intervalMs: 200, fall: 3, rise: 1 } as const;
  const [one, two] = [host.instance(1), host.instance(2)];
  const apply = async (endpoints: readonly IngressEndpoint[], options: BackendOptions, others: number) => {
    const web = backend('shop/web:80', endpoints, options);
    const backends = Array.from({ length: others }, (_, at) =>
      backend(`shop/${at}:80`, [one], { balance: 'leastconn' }),
    );
    const routes = backends.map((other, at) => [`o${at}`, route(`o${at}.test`, '/', other)] as const);
    const wanted = { web: route('web.test', '/', web), ...Object.fromEntries(routes) };
    return (await host.proxy.apply(state(host, wanted, [web, ...backends]))).by;
  };
  const who = async () => {
    const found = new Set<number | undefined>();
    for (let at = 0; at < 12; at++) found.add((await host.ask('web.test')).asked?.instance);
    return [...found].sort();
  };
  const stateOf = async ({ address, port }: IngressEndpoint) =>
    (await host.proxy.stats()).backends.get('shop/web:80')?.endpoints.get(`${address}:${port}`)?.state;
  try {
    await apply([one, two], { healthCheck }, 0);
    assert.equal(await apply([one, two, sick], { healthCheck }, 0), 'runtime', 'a server that no file has');
    await until('it is found', async () => (await stateOf(sick)) === 'down');
    assert.equal(await apply([one, sick], { healthCheck }, 0), 'runtime');
    assert.equal(await apply([one, two, sick], { healthCheck }, 1), 'reload');
    assert.deepEqual(await who(), [1, 2]);
    assert.equal(await stateOf(sick), 'down');
    assert.equal(await apply([one, two, sick], { healthCheck, balance: 'leastconn' }, 1), 'reload');
    assert.deepEqual(await who(), [1, 2], 'in a section of another name, too');
    isSick = false;
    await until('it is back', async () => (await who()).includes(9));
    isSick = true;
    await until('it is found again', async () => (await stateOf(sick)) === 'down');
    assert.equal(await apply([one, two, sick], { healthCheck: { type: 'none' }, balance: 'random' }, 1), 'reload');
    await until('it is used', async () => (await who()).includes(9)); // nobody would say any more that it is up
  } finally {
    await host.close();
    app.closeAllConnections();
    app.close();
  }
});

test('HAProxy: what the access log has not been told while no agent ran, it is told by the next', async () => {
  const paths: string[] = [];
  const onAccess = ({ path = '' }: AccessEntry) => void paths.push(path);
  const host = await openHaproxy({ onAccess });
  const one = backend('shop/web:80', [host.instance(1)]);
  const wanted = state(host, { web: route('web.test', '/', one) }, [one]);
  const again = host.again({ onAccess });
  try {
    await host.proxy.apply(wanted);
    await host.ask('web.test', { path: '/before' });
    await until('it is told', () => paths.includes('/before'));
    await host.proxy.stop();
    await host.ask('web.test', { path: '/between' });
    await again.apply(wanted);
    await host.ask('web.test', { path: '/after' });
    await until('it is told of both', () => paths.includes('/between') && paths.includes('/after'));
  } finally {
    await again.stop();
    await host.close();
  }
});
