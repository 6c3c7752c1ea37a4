import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeFrame, type Frame, FrameDecoder } from './frames.ts';
import { maxFrameBytes } from './protocol.ts';

function decodeAll(bytes: Buffer, cuts: readonly number[]): Frame[] {
  const decoder = new FrameDecoder();
  const edges = [...new Set([0, ...cuts.map((cut) => cut % (bytes.byteLength + 1)), bytes.byteLength])].sort(
    (a, b) => a - b,
  );
  const frames = edges.slice(1).flatMap((edge, index) => decoder.push(bytes.subarray(edges[index], edge)));
  assert.ok(decoder.isAtBoundary);
  return frames;
}

test('frames come out as they went in, wherever the stream is cut', () => {
  const message = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 300 }));
  fc.assert(
    fc.property(fc.array(message, { maxLength: 20 }), fc.array(fc.nat(10_000), { maxLength: 30 }), (messages, cuts) => {
      const bytes = Buffer.concat(messages.map(([channel, payload]) => encodeFrame(channel, payload)));
      const decoded = decodeAll(bytes, cuts).map(({ channel, payload }) => [channel, payload.toString('hex')]);
      assert.deepEqual(
        decoded,
        messages.map(([channel, payload]) => [channel, Buffer.from(payload).toString('hex')]),
      );
    }),
  );
});

test('a large write becomes frames within the limit', () => {
  const payload = Buffer.alloc(maxFrameBytes * 2 + 7, 'x');
  const frames = decodeAll(encodeFrame(1, payload), [3, 70_000]);
  assert.deepEqual(
    frames.map((frame) => frame.payload.byteLength),
    [maxFrameBytes, maxFrameBytes, 7],
  );
  assert.ok(Buffer.concat(frames.map((frame) => frame.payload)).equals(payload));
});

test('a frame announced beyond the limit is refused before it is collected', () => {
  const decoder = new FrameDecoder();
  assert.throws(() => decoder.push(Buffer.from([0, 0xff, 0xff, 0xff, 0xff])), { code: 'ProtocolMismatch' });
});

test('a stream cut inside a frame is noticed', () => {
  const decoder = new FrameDecoder();
  assert.deepEqual(decoder.push(encodeFrame(1, Buffer.from('abc')).subarray(0, 6)), []);
  assert.equal(decoder.isAtBoundary, false);
});
