import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TimesInLongLines } from './long-lines.ts';
import { StreamDemux } from './stream-demux.ts';

const time = '2026-01-02T03:04:05.678901234Z ';

function message(stream: 1 | 2, text: string): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt8(stream, 0);
  head.writeUInt32BE(text.length, 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

test('a line in pieces has one time, wherever the chunks begin and end, also beside lines of the other stream', () => {
  const bytes = Buffer.concat([
    message(1, `${time}long `),
    message(2, `${time}error\n`),
    message(1, `${time}er `),
    message(1, `${time}longest\n`),
    message(1, `${time}\n`),
    message(1, `${time}last`),
  ]);
  fc.assert(
    fc.property(fc.array(fc.nat(40), { maxLength: 10 }), (cuts) => {
      const demux = new StreamDemux();
      const times = new TimesInLongLines();
      const said = { stdout: '', stderr: '' };
      let at = 0;
      for (const cut of [...cuts, bytes.byteLength]) {
        for (const part of demux.push(bytes.subarray(at, at + cut))) {
          const left = times.take(part);
          if (left) said[left.stream] += left.data.toString();
        }
        at += cut;
      }
      assert.deepEqual(said, { stdout: `${time}long er longest\n${time}\n${time}last`, stderr: `${time}error\n` });
    }),
  );
});
