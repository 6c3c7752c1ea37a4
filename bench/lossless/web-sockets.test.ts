import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { clientFrame, serverFrames } from './web-sockets.ts';

describe('frames of a WebSocket', () => {
  it('what is sent is masked, and says what it should once it is not', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 30 }), (text) => {
        const frame = clientFrame(text);
        const mask = frame.subarray(2, 6);
        const said = Buffer.from(frame.subarray(6).map((byte, index) => byte ^ (mask[index % 4] ?? 0))).toString();
        assert.equal(said, Buffer.from(text).toString());
        assert.equal(frame[1], 0x80 | Buffer.from(text).length);
      }),
    );
  });

  it('what comes is read frame by frame, however it is cut', () => {
    const frame = (opcode: number, text: string) => Buffer.from([0x80 | opcode, text.length, ...Buffer.from(text)]);
    const all = Buffer.concat([frame(1, 'hello'), frame(1, ''), frame(8, 'by')]);
    for (let cut = 0; cut <= all.length; cut++) {
      const first = serverFrames(all.subarray(0, cut));
      const second = serverFrames(Buffer.concat([first.rest, all.subarray(cut)]));
      assert.deepEqual(
        [...first.frames, ...second.frames],
        [
          { isClose: false, text: 'hello' },
          { isClose: false, text: '' },
          { isClose: true, text: 'by' },
        ],
      );
      assert.equal(second.rest.length, 0);
    }
  });
});
