import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../lib/clock.ts';
import { encodeControl, encodeData, finFlag, frameTypes, numbers, resetCodes } from './frames.ts';
import { type SpdySession, serveSpdy } from './spdy-session.ts';
import type { SpdyStream } from './spdy-stream.ts';
import { TestClient } from './test-client.ts';

interface Started {
  readonly client: TestClient;
  readonly session: SpdySession;
  readonly streams: SpdyStream[];
  readonly clock: ManualClock;
  readonly closed: Promise<Error | undefined>;
}

function start(onStream: (stream: SpdyStream) => void = () => {}, maxStreams = 10, maxStallMs?: number): Started {
  const [ours, theirs] = duplexPair();
  const streams: SpdyStream[] = [];
  const clock = new ManualClock();
  const closed = Promise.withResolvers<Error | undefined>();
  const session = serveSpdy(ours, {
    onStream: (stream) => {
      streams.push(stream);
      onStream(stream);
    },
    onClose: closed.resolve,
    maxStreams,
    ...(maxStallMs === undefined ? {} : { maxStallMs }),
    clock,
  });
  return { client: new TestClient(theirs), session, streams, clock, closed: closed.promise };
}

const echo = (stream: SpdyStream) => void stream.pipe(stream);
const resetOf = (client: TestClient) =>
  client.control(frameTypes.rstStream).then(({ payload }) => [payload.readUInt32BE(0), payload.readUInt32BE(4)]);

test('a stream is answered, carries bytes both ways, and each side ends for itself', async () => {
  const { client, session, streams } = start(echo);
  await client.open(1, { streamtype: 'data', port: '80' });
  const reply = await client.control(frameTypes.synReply);
  assert.equal(reply.payload.readUInt32BE(0), 1);
  assert.equal(streams[0]?.headers.get('port'), '80');
  client.transport.write(encodeData(1, Buffer.from('hello '), false));
  client.transport.write(encodeData(1, Buffer.from('world'), true));
  await client.until(() => client.hasEnded(1) || undefined);
  assert.equal(client.received(1).toString(), 'hello world');
  await client.until(() => session.openStreams === 0 || undefined);
  session.destroy();
});

test('large writes leave in frames that let others in between', async () => {
  const { client, session } = start((stream) => void stream.end(Buffer.alloc(100_000, 7)));
  await client.open(1, {}, finFlag);
  await client.until(() => client.hasEnded(1) || undefined);
  assert.equal(client.received(1).byteLength, 100_000);
  const sizes = client.frames.flatMap((one) => (one.type === 'data' ? [one.payload.byteLength] : []));
  assert.ok(Math.max(...sizes) <= 32_768);
  session.destroy();
});

test('pings are echoed, ours are sent, and a client that goes silent is let go', async () => {
  const { client, clock, closed } = start();
  client.transport.write(encodeControl(frameTypes.ping, 0, numbers(5)));
  assert.equal((await client.control(frameTypes.ping)).payload.readUInt32BE(0), 5);
  for (let round = 0; round < 4; round++) await clock.advance(30_000);
  assert.match(String(await closed), /the client has gone silent/);
});

test('one more stream than allowed is refused; one that nobody wants is reset', async () => {
  const few = start(() => {}, 1);
  await few.client.open(1, {});
  await few.client.open(3, {});
  assert.deepEqual(await resetOf(few.client), [3, resetCodes.refusedStream]);
  few.session.destroy();

  const picky = start(() => {
    throw new Error('no');
  });
  await picky.client.open(1, {});
  assert.deepEqual(await resetOf(picky.client), [1, resetCodes.cancel]);
  assert.equal(picky.session.openStreams, 0);
  picky.session.destroy();
});

test('a client that resets a stream ends it here; data that still comes is nothing', async () => {
  const { client, session, streams, closed } = start();
  await client.open(1, {});
  await client.control(frameTypes.synReply);
  const gone = new Promise((resolve) => streams[0]?.once('close', resolve));
  client.transport.write(encodeControl(frameTypes.rstStream, 0, numbers(1, resetCodes.cancel)));
  await gone;
  client.transport.write(encodeData(1, Buffer.from('late'), false));
  client.transport.write(encodeData(9, Buffer.from('never opened'), false));
  assert.deepEqual(await resetOf(client), [9, resetCodes.invalidStream]);
  session.destroy();
  assert.equal(await closed, undefined);
});

test('a reader that does not keep up makes the client wait', async () => {
  const { client, session, streams } = start();
  await client.open(1, {});
  await client.control(frameTypes.synReply);
  const chunk = Buffer.alloc(65_536, 1);
  let sent = 0;
  const isFull = () =>
    new Promise<boolean>((resolve) =>
      setImmediate(() => setImmediate(() => resolve(client.transport.writableNeedDrain))),
    );
  while (!(await isFull())) {
    client.transport.write(encodeData(1, chunk, false));
    sent += chunk.byteLength;
    assert.ok(sent < 8 * 2 ** 20, 'no end of room');
  }
  client.transport.write(encodeData(1, Buffer.alloc(0), true));
  let read = 0;
  for await (const part of streams[0] as AsyncIterable<Buffer>) read += part.byteLength;
  assert.equal(read, sent);
  session.destroy();
});

test('one that takes nothing is reset when others wait behind it, not when it is alone', async () => {
  const run = async (more: number): Promise<{ readonly started: Started; readonly isReset: boolean }> => {
    const started = start(() => {}, 10, 60_000);
    const { client, clock, streams, session } = started;
    for (let id = 1; id <= 1 + 2 * more; id += 2) await client.open(id, {});
    await client.until(() => session.openStreams > more || undefined);
    for (let sent = 0; sent < 3; sent++) client.transport.write(encodeData(1, Buffer.alloc(2 ** 20), false));
    const isFull = () => (streams[0]?.readableLength ?? 0) >= 2 ** 20;
    while (!isFull()) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(60_000);
    return { started, isReset: streams[0]?.destroyed ?? false };
  };
  const alone = await run(1);
  assert.equal(alone.isReset, false);
  alone.started.session.destroy();
  const among = await run(3);
  assert.equal(among.isReset, true);
  assert.deepEqual(await resetOf(among.started.client), [1, resetCodes.cancel]);
  among.started.client.transport.write(encodeControl(frameTypes.ping, 0, numbers(7)));
  await among.started.client.until((frames) =>
    frames.find((one) => one.type === 'control' && one.kind === frameTypes.ping && one.payload.readUInt32BE(0) === 7),
  );
  among.started.session.destroy();
});

test('end says good-bye after what was written', async () => {
  const { client, session, closed } = start((stream) => void stream.write('last words'));
  await client.open(1, {});
  await client.until(() => (client.received(1).byteLength > 0 ? true : undefined));
  session.end();
  await client.control(frameTypes.goAway);
  client.transport.end();
  await closed;
});

test('whatever a client sends, the session goes on or ends with a reason; nothing is thrown', async () => {
  const control = fc.record({
    kind: fc.integer({ min: 0, max: 12 }),
    flags: fc.integer({ min: 0, max: 255 }),
    payload: fc.uint8Array({ maxLength: 60 }),
  });
  const frame = fc.oneof(
    control.map(({ kind, flags, payload }) => encodeControl(kind, flags, Buffer.from(payload))),
    fc
      .record({ id: fc.integer({ min: 0, max: 9 }), payload: fc.uint8Array({ maxLength: 60 }), isLast: fc.boolean() })
      .map(({ id, payload, isLast }) => encodeData(id, Buffer.from(payload), isLast)),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 12 }), fc.boolean(), async (frames, isOpened) => {
      const { client, session, closed } = start(echo);
      if (isOpened) await client.open(1, { streamtype: 'data' });
      for (const bytes of frames) client.transport.write(bytes);
      client.transport.end();
      const error = await closed;
      if (error) assert.match(String(error), /SPDY:|ended|close|aborted/i);
      assert.equal(session.openStreams, 0);
    }),
    { numRuns: 300 },
  );
});
