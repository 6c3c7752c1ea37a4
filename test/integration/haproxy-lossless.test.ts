// No request is lost or done twice by anything that is planned: a client that never asks twice tells.
import assert from 'node:assert/strict';
import { Agent, createServer, request } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { backend, route, state } from '../../src/adapters/ingress/contract.ts';
import type { IngressEndpoint } from '../../src/adapters/ingress/port.ts';
import { answerWebSocket, type HaproxyHost, openConnection, openHaproxy, openWebSocket } from './haproxy-host.ts';
import { until } from './until.ts';

interface Application {
  readonly endpoint: IngressEndpoint;
  /** Ids of POSTs, as they came. */
  readonly received: string[];
  close(): void;
}

/** Counts what it does, and closes connections that idle that long. */
async function startApplication(idleMs: number): Promise<Application> {
  const received: string[] = [];
  const server = createServer({ keepAliveTimeout: idleMs, keepAliveTimeoutBuffer: 0 }, (asked, response) => {
    received.push(asked.url ?? '');
    asked.resume();
    const waitMs = Number(asked.headers['x-wait-ms'] ?? 0);
    asked.on('end', () => void setTimeout(() => response.end('done'), waitMs));
  });
  server.on('upgrade', (_request, socket) => answerWebSocket(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: { address: '127.0.0.1', port },
    received,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/**
 * Leaves connections open, but has closed each by the time at which a second request comes over it: what an application that
 * closes idle connections does now and then, here always.
 */
async function startHasty(): Promise<Application> {
  const received: string[] = [];
  const server = createTcpServer((socket) => {
    let text = '';
    let hasAnswered = false;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      if (hasAnswered) return void socket.destroy();
      text += chunk.toString();
      if (!text.endsWith(text.startsWith('GET') ? '\r\n\r\n' : '\r\n\r\nbody')) return;
      hasAnswered = true;
      received.push(text.split(' ')[1] ?? '');
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as AddressInfo;
  return { endpoint: { address: '127.0.0.1', port }, received, close: () => void server.close() };
}

/** One request, never repeated: what became of it. */
function ask(port: number, agent: Agent | false, id: string, { method = 'POST', waitMs = 0 } = {}): Promise<string> {
  return new Promise((resolve) => {
    const body = method === 'POST' ? 'body' : '';
    const headers = { host: 'web.test', 'content-length': body.length, 'x-wait-ms': String(waitMs) };
    const sent = request({ host: '127.0.0.1', port, path: `/${id}`, method, agent, headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(String(response.statusCode)));
      response.on('error', (error) => resolve(error.message));
    });
    sent.on('error', (error) => resolve(error.message));
    sent.end(body);
  });
}

/**
 * One after the other over one HTTP/2 connection, and over another when that one says that it goes. A stream that is refused
 * by what came between was never sent, and only then is sent for the first time (RFC 9113 §8.7).
 */
class Http2Client {
  readonly #port: number;
  #session: ClientHttp2Session | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  async post(id: string): Promise<string> {
    const result = await this.#send(id);
    return result === refused ? this.#send(id) : result;
  }

  #send(id: string): Promise<string> {
    if (!this.#session || this.#session.closed || this.#session.destroyed) {
      this.#session = connect(`https://127.0.0.1:${this.#port}`, { rejectUnauthorized: false });
      this.#session.on('error', () => {});
      this.#session.on('goaway', () => {
        this.#session = undefined;
      });
    }
    const session = this.#session;
    return new Promise((resolve) => {
      const stream = session.request({ ':method': 'POST', ':path': `/${id}`, ':authority': 'web.test' });
      let status = '';
      stream.on('response', (headers) => {
        status = String(headers[':status']);
      });
      stream.on('error', (error) => resolve(error.message));
      stream.on('end', () => resolve(status));
      stream.resume();
      stream.end('body');
    });
  }

  close(): void {
    this.#session?.destroy();
  }
}

const refused = 'Stream closed with error code NGHTTP2_REFUSED_STREAM';

/** What did not become 200, and what was not received exactly once. */
function losses(results: ReadonlyMap<string, string>, applications: readonly Application[]) {
  const counts = new Map<string, number>();
  for (const id of applications.flatMap(({ received }) => received))
    counts.set(id.slice(1), (counts.get(id.slice(1)) ?? 0) + 1);
  return [...results]
    .filter(([id, result]) => result !== '200' || counts.get(id) !== 1)
    .map(([id, result]) => `${id}: ${result}, received ${counts.get(id) ?? 0}×`);
}

describe('nothing is lost', () => {
  let host: HaproxyHost;
  const applications: Application[] = [];
  const application = async (idleMs = 5_000) => {
    const made = await startApplication(idleMs);
    applications.push(made);
    return made;
  };
  before(async () => {
    // Servers are removed while requests run, as soon as nobody uses them.
    host = await openHaproxy({ spareSections: 2, sweepAfterMs: 10 });
  });
  after(async () => {
    await host.close();
    for (const one of applications) one.close();
  });
  const apply = (endpoints: readonly IngressEndpoint[], options = {}) => {
    const web = backend('shop/web:80', endpoints, options);
    return host.proxy.apply(state(host, { web: route('web.test', '/', web) }, [web]));
  };

  test('applications that close idle connections: after 50 ms, or just when they are used again', async () => {
    const hasty = await startHasty();
    applications.push(hasty);
    const apps = [await application(50), hasty];
    // Both do nothing else: that four in a row close beneath one GET happens here, and is not what this is about.
    await apply(
      apps.map(({ endpoint }) => endpoint),
      { retries: 10 },
    );
    const results = new Map<string, string>();
    const agent = new Agent({ keepAlive: true, maxSockets: 40 });
    const read = new Map<string, string>();
    // Pauses around the very moment at which it closes.
    const worker = async (number: number) => {
      for (let at = 0; at < 40; at++) {
        const id = `idle-${number}-${at}`;
        // What changes nothing goes over connections that are kept, and may be asked twice.
        const method = (number + at) % 4 === 0 ? 'GET' : 'POST';
        (method === 'GET' ? read : results).set(id, await ask(host.settings.httpPort, agent, id, { method }));
        await delay(46 + ((number * 7 + at * 3) % 10));
      }
    };
    await Promise.all(Array.from({ length: 40 }, (_, number) => worker(number)));
    agent.destroy();
    assert.equal(results.size + read.size, 1_600);
    assert.deepEqual(losses(results, apps), []);
    assert.deepEqual(
      [...read].filter(([, status]) => status !== '200'),
      [],
    );
  });

  test('an instance that ends without an answer: what changes nothing is asked again elsewhere, a POST never is', async () => {
    const asked: string[] = [];
    const dying = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (chunk) => {
        asked.push(chunk.toString().split(' ')[0] ?? '');
        socket.destroy();
      });
    });
    await new Promise<void>((resolve) => dying.listen(0, '127.0.0.1', () => resolve()));
    const endpoint = { address: '127.0.0.1', port: (dying.address() as AddressInfo).port };
    const app = await application();
    await apply([endpoint, app.endpoint], { healthCheck: { type: 'none' } });
    const { httpPort } = host.settings;
    const told = async (method: string) =>
      await Promise.all(Array.from({ length: 20 }, (_, at) => ask(httpPort, false, `${method}-${at}`, { method })));
    assert.deepEqual(new Set(await told('GET')), new Set(['200']));
    assert.ok(asked.includes('GET'));
    const posted = await told('POST');
    const lost = posted.filter((status) => status === '502').length;
    assert.ok(lost > 0 && posted.every((status) => status === '200' || status === '502'), posted.join(' '));
    assert.equal(asked.filter((method) => method === 'POST').length, lost);
    await apply([endpoint], { healthCheck: { type: 'none' }, retries: 0 });
    asked.length = 0;
    assert.equal(await ask(httpPort, false, 'once', { method: 'GET' }), '502');
    assert.deepEqual(asked, ['GET']);
    dying.close();
  });

  test('reloads, endpoints that come and go, and new hosts under load, of HTTP/1.1 and HTTP/2', async () => {
    const apps = [await application(), await application(), await application()];
    const [one, two, three] = apps.map(({ endpoint }) => endpoint);
    assert(one && two && three);
    await apply([one, two]);
    const socket = await openWebSocket(host.settings.httpPort, 'web.test');
    const idle = await Promise.all(Array.from({ length: 60 }, () => openConnection(host.settings.httpPort)));
    const text = (id: string) => `POST /${id} HTTP/1.1\r\nHost: web.test\r\nContent-Length: 4\r\n\r\nbody`;
    for (const [at, line] of idle.entries()) assert.match(await line.send(text(`first-${at}`)), /^HTTP\/1\.1 200/);

    const results = new Map<string, string>();
    let isOver = false;
    const { httpPort, httpsPort } = host.settings;
    const kept = new Agent({ keepAlive: true });
    const loop = async (name: string, send: (id: string) => Promise<string>) => {
      for (let at = 0; !isOver; at++) {
        const id = `${name}-${at}`;
        results.set(id, await send(id));
      }
    };
    const clients = Array.from({ length: 3 }, () => new Http2Client(httpsPort));
    const loops = [
      ...[1, 2, 3].map((at) => loop(`kept${at}`, (id) => ask(httpPort, kept, id))),
      ...[1, 2].map((at) => loop(`new${at}`, (id) => ask(httpPort, false, id))),
      ...[1, 2].map((at) => loop(`slow${at}`, (id) => ask(httpPort, kept, id, { waitMs: 300 }))),
      ...clients.map((client, at) => loop(`h2-${at}`, (id) => client.post(id))),
    ];
    const changed: (string | undefined)[] = [];
    for (let round = 0; round < 5; round++) {
      changed.push((await apply([one, three], { retries: 3 + round })).by);
      changed.push((await apply([two, three], { retries: 3 + round })).by);
      changed.push((await apply([one, two], { retries: 3 + round })).by);
      await delay(50);
    }
    isOver = true;
    await Promise.all(loops);
    kept.destroy();
    for (const client of clients) client.close();
    assert.equal(changed.filter((by) => by === 'reload').length, 5, changed.join());

    // Those that idled all the while are asked once more, by a worker that is long retired.
    for (const [at, line] of idle.entries()) {
      const id = `last-${at}`;
      results.set(id, (await line.send(text(id)).catch((error: Error) => error.message)).slice(9, 12));
      line.close();
    }
    assert(results.size > 200, `${results.size} requests`);
    assert.deepEqual(losses(results, apps), []);
    assert.equal(await socket.send('after all'), 'after all');
    socket.close();
    await until('old workers end', async () => (await host.processes()).oldWorkers.length === 0);
  });
});
