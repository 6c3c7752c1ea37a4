// The benchmark of lost requests is worth what its client is: it tells every way in which a request is lost, sends none
// twice, and tells nothing where nothing was lost.
import assert from 'node:assert/strict';
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import { openHttp1 } from '../../bench/lossless/http1-connection.ts';
import { openHttp2 } from '../../bench/lossless/http2-connection.ts';
import type { WireConnection, WireOutcome, WireRequest } from '../../bench/lossless/outcome.ts';
import { selfSigned } from './lossless-proxy.ts';

const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

/** Answers each request with what `answer` does; `seen` has all bytes of all connections. */
async function listen(answer: (socket: Socket, text: string) => void): Promise<{ port: number; seen: string[] }> {
  const seen: string[] = [];
  const server: Server = createServer((socket) => {
    closers.push(() => socket.destroy());
    socket.on('error', () => {});
    socket.setEncoding('latin1').on('data', (text: string) => {
      seen.push(text);
      answer(socket, text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return { port: (server.address() as AddressInfo).port, seen };
}

const request = (id: string, timeoutMs = 2_000): WireRequest => ({ id, path: '/work', host: 'web.test', timeoutMs });
const target = (port: number) => ({ address: '127.0.0.1', port });

async function opened(port: number): Promise<WireConnection> {
  const connection = await openHttp1(target(port));
  assert.ok('send' in connection);
  return connection;
}

function stageOf(outcome: WireOutcome): string {
  return 'stage' in outcome ? outcome.stage : String(outcome.status);
}

describe('the client over HTTP/1.1', () => {
  const ways: Record<string, [stage: string, (socket: Socket) => void]> = {
    'a connection that is closed once the request is there': ['unanswered', (socket) => socket.end()],
    'a connection that is reset then': ['unanswered', (socket) => socket.resetAndDestroy()],
    'half a head': ['cut', (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Le')],
    'half a body': ['cut', (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel')],
    'half a body, then a reset': [
      'cut',
      (socket) =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel', () =>
          setImmediate(() => socket.resetAndDestroy()),
        ),
    ],
    'a 503': ['503', (socket) => socket.write('HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n')],
    'something that is not HTTP': ['wrong', (socket) => socket.write('what?\r\n\r\n')],
    'no answer': ['timeout', () => {}],
  };
  for (const [what, [stage, answer]] of Object.entries(ways)) {
    it(`tells ${what}, and has asked once`, async () => {
      const { port, seen } = await listen(answer);
      const connection = await opened(port);
      assert.equal(stageOf(await connection.send(request('0-1', 300))), stage);
      assert.equal(seen.join('').split('POST ').length - 1, 1);
    });
  }

  it('tells that nobody is there', async () => {
    const { port } = await listen(() => {});
    closers.pop()?.();
    const connection = await openHttp1(target(port));
    assert.equal('stage' in connection && connection.stage, 'connect');
  });

  it('uses a connection again, and takes one that was closed while it rested for no loss', async () => {
    const sockets: Socket[] = [];
    const { port } = await listen((socket, text) => {
      sockets.push(socket);
      const id = /x-request-id: (\S+)/i.exec(text)?.[1] ?? '';
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${id.length}\r\n\r\n${id}`);
    });
    const ends: string[] = [];
    let told: () => void = () => {};
    const closed = new Promise<void>((resolve) => {
      told = resolve;
    });
    const connection = await openHttp1(target(port), {
      closedWhileIdle: (how) => {
        ends.push(how);
        told();
      },
    });
    assert.ok('send' in connection);
    for (const id of ['0-1', '0-2'])
      assert.deepEqual(await connection.send(request(id)), { status: 200, body: id, setCookies: [] });
    assert.equal(sockets[0], sockets[1]);
    sockets[0]?.end();
    await closed;
    assert.deepEqual(ends, ['fin']);
    assert.equal(connection.isUsable(), false);
  });
});

describe('the client over HTTP/2', () => {
  async function serve(answer: (stream: ServerHttp2Stream, id: string) => void) {
    const server = createSecureServer(await selfSigned('web.test'));
    const ids: string[] = [];
    server.on('session', (session) => {
      closers.push(() => session.destroy());
      session.on('error', () => {});
    });
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      ids.push(String(headers['x-request-id']));
      answer(stream, String(headers['x-request-id']));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    let goaways = 0;
    const connection = await openHttp2({
      target: target((server.address() as AddressInfo).port),
      serverName: 'web.test',
      onGoaway: () => goaways++,
    });
    assert.ok('send' in connection);
    return { connection, ids, goaways: () => goaways };
  }
  const ok = (stream: ServerHttp2Stream, id: string) => {
    stream.respond({ ':status': 200, 'set-cookie': ['F=x; path=/'] });
    stream.end(id);
  };

  it('takes answers and their cookies, many at once', async () => {
    const { connection } = await serve(ok);
    const answers = await Promise.all(['0-1', '0-2', '0-3'].map((id) => connection.send(request(id))));
    assert.deepEqual(answers[2], { status: 200, body: '0-3', setCookies: ['F=x; path=/'] });
    connection.close();
  });

  const ways: Record<string, [stage: string, (stream: ServerHttp2Stream) => void]> = {
    'a connection that breaks': ['unanswered', (stream) => stream.session?.socket.destroy()],
    'a stream that is reset': ['unanswered', (stream) => stream.close(2)],
    'a stream that is refused': ['refused', (stream) => stream.close(7)],
    'an answer that is cut short': [
      'cut',
      (stream) => {
        stream.respond({ ':status': 200, 'content-length': '10' });
        stream.write('hel', () => setImmediate(() => stream.close(2)));
      },
    ],
    'no answer': ['timeout', () => {}],
  };
  for (const [what, [stage, answer]] of Object.entries(ways)) {
    it(`tells ${what}, and has asked once`, async () => {
      const { connection, ids } = await serve(answer);
      assert.equal(stageOf(await connection.send(request('0-1', 300))), stage);
      assert.deepEqual(ids, ['0-1']);
      connection.close();
    });
  }

  it('is told by a GOAWAY which streams were not processed; those before it are answered; it opens no more there', async () => {
    const streams: ServerHttp2Stream[] = [];
    const { connection, goaways } = await serve((stream, id) => {
      streams.push(stream);
      if (streams.length < 2) return;
      stream.session?.goaway(0, 1); // only the first stream was taken
      ok(streams[0]!, '0-1');
      assert.equal(id, '0-2');
    });
    const outcomes = await Promise.all(['0-1', '0-2'].map((id) => connection.send(request(id))));
    assert.deepEqual(outcomes.map(stageOf), ['200', 'refused']);
    assert.equal(goaways(), 1);
    assert.equal(connection.isUsable(), false);
    assert.equal(stageOf(await connection.send(request('0-3'))), 'unsent');
    assert.equal(streams.length, 2);
  });
});
