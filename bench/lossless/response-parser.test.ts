import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MalformedResponse, type ParsedResponse, ResponseParser } from './response-parser.ts';

/** Pieces as a network might cut them; the answer that the last one completes. */
function feed(parser: ResponseParser, text: string, cuts: readonly number[] = []): ParsedResponse | undefined {
  const bytes = Buffer.from(text, 'latin1');
  const edges = [0, ...[...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b), bytes.length];
  let answer: ParsedResponse | undefined;
  for (const [index, from] of edges.entries()) {
    const piece = bytes.subarray(from, edges[index + 1] ?? bytes.length);
    if (piece.length === 0) continue;
    assert.equal(answer, undefined, 'whole before its last byte');
    answer = parser.push(piece);
  }
  return answer;
}

const withLength = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nhello';
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n';
const interim = `HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n${withLength}`;

describe('response parser', () => {
  for (const [name, text] of Object.entries({ withLength, chunked, interim })) {
    it(`reads an answer (${name}) however its bytes are cut, and not before its last one`, () => {
      fc.assert(
        fc.property(fc.array(fc.nat(), { maxLength: 20 }), (cuts) => {
          const answer = feed(new ResponseParser(), text, cuts);
          assert.equal(answer?.status, 200);
          assert.equal(answer?.body, 'hello');
          assert.equal(answer?.keepsAlive, true);
        }),
      );
    });

    it(`an answer (${name}) that is cut short anywhere is none`, () => {
      for (let length = 0; length < text.length; length++) {
        const parser = new ResponseParser();
        assert.equal(feed(parser, text.slice(0, length)), undefined);
        assert.equal(parser.end(), undefined, `cut at ${length}`);
      }
    });
  }

  it('reads one answer after another', () => {
    const parser = new ResponseParser();
    assert.equal(feed(parser, withLength)?.body, 'hello');
    assert.equal(parser.isInsideAnswer, false);
    assert.equal(feed(parser, chunked)?.body, 'hello');
    assert.equal(feed(parser, 'HTTP/1.1 204 No Content\r\n\r\n')?.status, 204);
  });

  it('keeps headers of one name apart', () => {
    assert.deepEqual(feed(new ResponseParser(), withLength)?.headers.get('set-cookie'), ['a=1', 'b=2']);
  });

  it('knows who will close', () => {
    const closing = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
    assert.equal(feed(new ResponseParser(), closing)?.keepsAlive, false);
    const old = 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n';
    assert.equal(feed(new ResponseParser(), old)?.keepsAlive, false);
  });

  it('an answer without a length ends with its connection', () => {
    const parser = new ResponseParser();
    assert.equal(feed(parser, 'HTTP/1.0 503 Service Unavailable\r\n\r\n<html>no</html>'), undefined);
    assert.deepEqual(
      { ...parser.end(), headers: undefined },
      { status: 503, headers: undefined, body: '<html>no</html>', keepsAlive: false },
    );
  });

  for (const [what, text] of Object.entries({
    'something else than HTTP': 'SSH-2.0-OpenSSH_9.2\r\n\r\n',
    'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    'bytes that nobody asked for': `${withLength}HTTP/1.1 200 OK\r\n`,
    'a chunk longer than it says': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n',
    'a header without a name': 'HTTP/1.1 200 OK\r\n: x\r\n\r\n',
  })) {
    it(`refuses ${what}`, () => {
      assert.throws(() => feed(new ResponseParser(), text), MalformedResponse);
    });
  }
});
