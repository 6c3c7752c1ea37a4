import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeControl, encodeData, FrameReader, maxControlBytes, type SpdyFrame } from './frames.ts';

type Sent =
  | { readonly type: 'data'; readonly streamId: number; readonly payload: Uint8Array; readonly isLast: boolean }
  | { readonly type: 'control'; readonly kind: number; readonly flags: number; readonly payload: Uint8Array };

const sent: fc.Arbitrary<Sent> = fc.oneof(
  fc.record({
    type: fc.constant('data' as const),
    streamId: fc.integer({ min: 1, max: 0x7fffffff }),
    payload: fc.uint8Array({ maxLength: 300 }),
    isLast: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('control' as const),
    kind: fc.integer({ min: 0, max: 0xffff }),
    flags: fc.integer({ min: 0, max: 255 }),
    payload: fc.uint8Array({ maxLength: 300 }),
  }),
);

function encode(frame: Sent): Buffer {
  return frame.type === 'data'
    ? encodeData(frame.streamId, Buffer.from(frame.payload), frame.isLast)
    : encodeControl(frame.kind, frame.flags, Buffer.from(frame.payload));
}

/** Pieces of one data frame put together again. */
function joined(frames: readonly SpdyFrame[]): unknown[] {
  const whole: { streamId: number; bytes: Buffer; isLast: boolean }[] = [];
  return frames.map((frame) => {
    if (frame.type === 'control') return { kind: frame.kind, flags: frame.flags, bytes: frame.payload.toString('hex') };
    whole.push({ streamId: frame.streamId, bytes: frame.payload, isLast: frame.isLast });
    return { streamId: frame.streamId, bytes: frame.payload.toString('hex'), isLast: frame.isLast };
  });
}

test('what was written is read, wherever the chunks begin and end', () => {
  fc.assert(
    fc.property(fc.array(sent, { maxLength: 8 }), fc.array(fc.nat(400), { maxLength: 12 }), (frames, cuts) => {
      const bytes = Buffer.concat(frames.map(encode));
      const reader = new FrameReader();
      const read: SpdyFrame[] = [];
      let at = 0;
      for (const cut of [...cuts, bytes.byteLength]) {
        read.push(...reader.push(bytes.subarray(at, at + cut)));
        at += cut;
      }
      const controls = (list: readonly { type: string }[]) => list.filter((one) => one.type === 'control').length;
      assert.equal(controls(read), controls(frames));
      for (const id of new Set(frames.flatMap((one) => (one.type === 'data' ? [one.streamId] : [])))) {
        const of = (list: readonly (Sent | SpdyFrame)[]) =>
          list.flatMap((one) => (one.type === 'data' && one.streamId === id ? [one] : []));
        const text = (list: readonly (Sent | SpdyFrame)[]) =>
          Buffer.concat(of(list).map((one) => one.payload)).toString('hex');
        assert.equal(text(read), text(frames));
        const ends = (list: readonly (Sent | SpdyFrame)[]) => of(list).filter((one) => one.isLast).length;
        assert.equal(ends(read), ends(frames));
      }
      const uncut = [...new FrameReader().push(bytes)];
      assert.equal(joined(uncut).length, frames.length);
    }),
  );
});

test('another version and a control frame that is too large are refused', () => {
  const ofVersion2 = encodeControl(6, 0, Buffer.alloc(4));
  ofVersion2.writeUInt16BE(0x8002, 0);
  assert.throws(() => [...new FrameReader().push(ofVersion2)], /version 2 where 3 is spoken/);
  const large = encodeControl(1, 0, Buffer.alloc(maxControlBytes + 1));
  assert.throws(() => [...new FrameReader().push(large.subarray(0, 8))], /a control frame of 65537 bytes/);
});
