import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StreamDemux, type StreamPart } from './stream-demux.ts';

function frame(stream: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(payload.byteLength, 4);
  return Buffer.concat([header, payload]);
}

function joined(parts: readonly StreamPart[]): { stdout: string; stderr: string } {
  const of = (stream: string) =>
    Buffer.concat(parts.filter((part) => part.stream === stream).map((part) => part.data)).toString('hex');
  return { stdout: of('stdout'), stderr: of('stderr') };
}

test('gives each stream its bytes in order, however the connection cuts them', () => {
  const frames = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 40 })), { maxLength: 12 });
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 13 }), { minLength: 1 }), (given, cuts) => {
      const wire = Buffer.concat(given.map(([stream, payload]) => frame(stream, payload)));
      const demux = new StreamDemux();
      const parts: StreamPart[] = [];
      for (let at = 0, turn = 0; at < wire.byteLength; turn++) {
        const size = cuts[turn % cuts.length] ?? 1;
        parts.push(...demux.push(wire.subarray(at, at + size)));
        at += size;
      }
      const of = (wanted: number) =>
        Buffer.concat(given.filter(([stream]) => stream === wanted).map(([, payload]) => payload)).toString('hex');
      assert.deepEqual(joined(parts), { stdout: of(1), stderr: of(2) });
    }),
  );
});

test('hands out the part of a payload that is there instead of waiting for the whole', () => {
  const demux = new StreamDemux();
  const wire = frame(2, Buffer.from('half of it'));
  assert.deepEqual(joined(demux.push(wire.subarray(0, 12))), {
    stdout: '',
    stderr: Buffer.from('half').toString('hex'),
  });
});

test('an error of the engine in the stream is shown as standard error', () => {
  assert.equal(new StreamDemux().push(frame(3, Buffer.from('lost')))[0]?.stream, 'stderr');
});
