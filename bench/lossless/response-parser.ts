/** One answer of HTTP/1.1, whole. Names of headers in small letters; of several with one name all stay, in order. */
export interface ParsedResponse {
  readonly status: number;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: string;
  /** False: whoever sent it will close, or has to. */
  readonly keepsAlive: boolean;
}

/** Not HTTP/1.1 as RFC 9112 has it, or more than was asked for. */
export class MalformedResponse extends Error {}

const maxHeadBytes = 64 * 1024;

/**
 * Reads answers off one connection as their bytes come, in pieces of any size. Our own, since what is proven with it is that
 * no answer was cut short and none was asked for twice: nothing here waits, repeats or forgives.
 */
export class ResponseParser {
  #buffer: Buffer = Buffer.alloc(0);
  #head: { readonly status: number; readonly headers: Map<string, string[]>; readonly version: string } | undefined;
  readonly #body: Buffer[] = [];

  /** True once a byte of an answer has come that is not whole yet. */
  get isInsideAnswer(): boolean {
    return this.#head !== undefined || this.#buffer.length > 0;
  }

  /** The answer once it is whole. Throws MalformedResponse, also for bytes behind its end: nothing more was asked for. */
  push(bytes: Buffer): ParsedResponse | undefined {
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
    for (;;) {
      if (this.#head === undefined && !this.#readHead()) return undefined;
      const head = this.#head;
      if (head === undefined) return undefined;
      if (head.status >= 100 && head.status < 200 && head.status !== 101) {
        this.#head = undefined; // an interim answer; the real one follows
        continue;
      }
      return this.#readBody(head.status) ? this.#finish() : undefined;
    }
  }

  /** The other side has closed. The answer, where one may end so; undefined where there was none, or it was cut short. */
  end(): ParsedResponse | undefined {
    const head = this.#head;
    if (head === undefined || !endsByClose(head)) return undefined;
    return this.#finish();
  }

  #readHead(): boolean {
    const end = this.#buffer.indexOf('\r\n\r\n');
    if (end < 0) {
      if (this.#buffer.length > maxHeadBytes) throw new MalformedResponse(`more than ${maxHeadBytes} bytes of headers`);
      return false;
    }
    const [first = '', ...lines] = this.#buffer.toString('latin1', 0, end).split('\r\n');
    const match = /^(HTTP\/1\.[01]) (\d{3})(?: .*)?$/.exec(first);
    if (!match) throw new MalformedResponse(`not a status line: ${JSON.stringify(first.slice(0, 100))}`);
    const headers = new Map<string, string[]>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      if (colon < 1) throw new MalformedResponse(`not a header: ${JSON.stringify(line.slice(0, 100))}`);
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      headers.set(name, [...(headers.get(name) ?? []), value]);
    }
    this.#head = { status: Number(match[2]), headers, version: match[1] ?? '' };
    this.#buffer = this.#buffer.subarray(end + 4);
    return true;
  }

  /** True once all of it is in `#body`. */
  #readBody(status: number): boolean {
    const headers = this.#head?.headers;
    if (status === 204 || status === 304 || status === 101) return true;
    if (isChunked(headers)) return this.#readChunks();
    const length = lengthOf(headers);
    if (length === undefined) {
      this.#body.push(this.#buffer);
      this.#buffer = Buffer.alloc(0);
      return false; // its end is the end of the connection
    }
    if (this.#buffer.length < length) return false;
    this.#body.push(this.#buffer.subarray(0, length));
    this.#buffer = this.#buffer.subarray(length);
    return true;
  }

  #readChunks(): boolean {
    for (;;) {
      const line = this.#buffer.indexOf('\r\n');
      if (line < 0) return false;
      const text = this.#buffer.toString('latin1', 0, line);
      const size = /^[0-9a-f]+/i.exec(text)?.[0];
      if (size === undefined) throw new MalformedResponse(`not the size of a chunk: ${JSON.stringify(text)}`);
      const bytes = Number.parseInt(size, 16);
      // The last one is followed by trailers, none of which anybody sends here, and an empty line.
      if (this.#buffer.length < line + 2 + bytes + 2) return false;
      if (this.#buffer.toString('latin1', line + 2 + bytes, line + 4 + bytes) !== '\r\n')
        throw new MalformedResponse('a chunk that does not end where it says');
      this.#body.push(this.#buffer.subarray(line + 2, line + 2 + bytes));
      this.#buffer = this.#buffer.subarray(line + 4 + bytes);
      if (bytes === 0) return true;
    }
  }

  #finish(): ParsedResponse {
    const head = this.#head;
    if (head === undefined) throw new Error('an answer without a head');
    if (this.#buffer.length > 0) throw new MalformedResponse('bytes behind the end of the answer');
    const connection = (head.headers.get('connection') ?? []).join(',').toLowerCase();
    const body = Buffer.concat(this.#body).toString();
    const keepsAlive = !endsByClose(head) && !/\bclose\b/.test(connection) && head.version === 'HTTP/1.1';
    this.#head = undefined;
    this.#body.length = 0;
    return { status: head.status, headers: head.headers, body, keepsAlive };
  }
}

type Headers = ReadonlyMap<string, readonly string[]> | undefined;

function isChunked(headers: Headers): boolean {
  return /\bchunked$/i.test(headers?.get('transfer-encoding')?.join(',') ?? '');
}

function lengthOf(headers: Headers): number | undefined {
  const said = headers?.get('content-length');
  if (said === undefined) return undefined;
  if (said.length !== 1 || !/^\d+$/.test(said[0] ?? ''))
    throw new MalformedResponse(`content-length: ${said.join(', ')}`);
  return Number(said[0]);
}

function endsByClose({ status, headers }: { readonly status: number; readonly headers: Headers }): boolean {
  if (status === 204 || status === 304 || status === 101) return false;
  return !isChunked(headers) && lengthOf(headers) === undefined;
}
