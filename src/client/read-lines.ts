import { FlotillaError } from '../lib/errors.ts';

/** No object is larger: the store refuses values beyond 1.5 MiB. */
const maxLineBytes = 16 << 20;

export interface ReadLinesOptions {
  /** Empty lines, too. Default false. */
  readonly keepEmpty?: boolean;
}

/** Lines of a byte stream without their ends. A long line is joined once, not at each chunk. */
export async function* readLines(
  stream: AsyncIterable<Buffer>,
  { keepEmpty = false }: ReadLinesOptions = {},
): AsyncGenerator<string, void, undefined> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const tail = chunk.subarray(start, end);
      start = end + 1;
      const line = parts.length === 0 ? tail : Buffer.concat([...parts, tail]);
      parts = [];
      bytes = 0;
      if (line.length > 0 || keepEmpty) yield line.toString('utf8');
    }
    if (start === chunk.length) continue;
    parts.push(chunk.subarray(start));
    bytes += chunk.length - start;
    if (bytes > maxLineBytes) {
      throw new FlotillaError('ProtocolMismatch', `the server sent a line of more than ${maxLineBytes} bytes`);
    }
  }
  if (bytes > 0) yield Buffer.concat(parts).toString('utf8');
}

/** The whole body as text. */
export async function readBody(stream: AsyncIterable<Buffer>, maxBytes = 512 << 20): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new FlotillaError('ProtocolMismatch', `the answer has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
