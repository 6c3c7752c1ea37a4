import type { IncomingMessage } from 'node:http';
import { FlotillaError } from '../../../lib/errors.ts';

const maxLineBytes = 1024 * 1024;

/** The JSON objects of an answer that has one a line. Throws EngineFailed on a line without end; what is no JSON is skipped. */
export async function* jsonLines(response: IncomingMessage): AsyncIterable<unknown> {
  let rest = '';
  response.setEncoding('utf8');
  for await (const chunk of response as AsyncIterable<string>) {
    rest += chunk;
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLineBytes) {
      throw new FlotillaError('EngineFailed', `a line of the engine's answer is longer than ${maxLineBytes} bytes`);
    }
    for (const line of lines) yield* parseLine(line);
  }
  yield* parseLine(rest);
}

function* parseLine(line: string): Iterable<unknown> {
  if (line.trim() === '') return;
  try {
    yield JSON.parse(line);
  } catch {
    // Podman sends blank keep-alive fragments; the next line is whole again.
  }
}
