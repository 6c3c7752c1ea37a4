import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { constants, createInflate, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { spdyDictionary } from './dictionary.ts';
import { HeaderDecoder, HeaderEncoder, maxHeaderBytes, parseHeaders, renderHeaders } from './header-block.ts';
import { TestClient } from './test-client.ts';

const someHeaders = fc.dictionary(fc.stringMatching(/^[a-z-]{1,20}$/), fc.string({ maxLength: 40 }), { maxKeys: 6 });

test('the dictionary is the one of the protocol', () => {
  assert.equal(spdyDictionary.byteLength, 1423);
  const head = deflateSync('x', { dictionary: spdyDictionary }).subarray(2, 6);
  assert.equal(head.toString('hex'), 'e3c6a7c2');
});

test('headers are read as they were rendered', () => {
  fc.assert(
    fc.property(someHeaders, (headers) => {
      const map = new Map(Object.entries(headers));
      assert.deepEqual(parseHeaders(renderHeaders(map)), map);
    }),
  );
});

test('any bytes are headers or a refusal', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      try {
        parseHeaders(Buffer.from(bytes));
      } catch (error) {
        assert.match(String(error), /SPDY: a header/);
      }
    }),
  );
});

test('one compressed stream carries block after block', async () => {
  const client = new TestClient(new PassThrough());
  const decoder = new HeaderDecoder();
  for (const headers of [{ streamtype: 'error' }, { streamtype: 'data', port: '80', requestid: '0' }, {}]) {
    assert.deepEqual(await decoder.decode(await client.block(headers)), new Map(Object.entries(headers)));
  }
  decoder.close();
});

test('what the encoder writes, zlib reads at once', async () => {
  const encoder = new HeaderEncoder();
  const inflate = createInflate({ dictionary: spdyDictionary, flush: constants.Z_SYNC_FLUSH });
  for (const headers of [new Map([['a', 'b']]), new Map(), new Map([['streamtype', 'x'.repeat(3_000)]])]) {
    await new Promise((resolve) => inflate.write(encoder.encode(headers), resolve));
    assert.deepEqual(parseHeaders(inflate.read() as Buffer), headers);
  }
});

test('a small block that becomes a large one is refused, and so is all that comes after', async () => {
  const client = new TestClient(new PassThrough());
  const decoder = new HeaderDecoder();
  const bomb = await client.block({ a: '0'.repeat(10 * maxHeaderBytes) });
  assert.ok(bomb.byteLength < 1_000);
  await assert.rejects(decoder.decode(bomb), /a header block of more than 16384 bytes/);
  await assert.rejects(decoder.decode(bomb), /headers after a failure/);
});

test('bytes that are not zlib are refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 2, maxLength: 200 }), async (bytes) => {
      const decoder = new HeaderDecoder();
      await decoder.decode(Buffer.from(bytes)).then(
        () => {},
        (error) => assert.match(String(error), /SPDY:/),
      );
      decoder.close();
    }),
    { numRuns: 50 },
  );
});
