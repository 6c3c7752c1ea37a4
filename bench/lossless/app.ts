// The application that is deployed: `POST /work?delay=MS` with X-Request-Id does a piece of work, has it written down by the
// collector, and answers `<id> <instance>`. GET /up: whether it can. Upgrade: a WebSocket that says back what it is told.
// On SIGTERM it does what Node's documentation says: server.close(). With ON_TERM=die it dies at once; with GOODBYE_MS
// it first says for so long that it is not well, and works on, as people do where nobody withdraws it. One file, no imports of
// ours: its text, without types, is the command of a container.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { hostname } from 'node:os';

const instance = process.env.INSTANCE || hostname();
const [collectorHost = '', collectorPort = ''] = (process.env.COLLECTOR || '').split(':');
const goodbyes = new Set<() => void>();
let isLeaving = false;

/** Work that is done, and not written down yet, in the order in which it was told. */
const waiting: (() => void)[] = [];
let taken = 0;
let isConnected = false;
let untold = '';

const collector = connect({ host: collectorHost, port: Number(collectorPort), noDelay: true }, () => {
  isConnected = true;
  collector.write(`${instance}\n`);
});
let said = '';
collector.setEncoding('latin1').on('data', (text: string) => {
  said += text;
  const lines = said.split('\n');
  said = lines.pop() ?? '';
  const last = Number(lines.at(-1) ?? taken);
  for (; taken < last; taken++) waiting.shift()?.();
});
collector.on('close', () => process.exit(2)); // it can do nothing without it
collector.on('error', (error) => console.error(`collector: ${error.message}`));

function writeDown(id: string, done: () => void): void {
  waiting.push(done);
  if (untold === '') {
    setImmediate(() => {
      collector.write(untold);
      untold = '';
    });
  }
  untold += `${id}\n`;
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://app');
  if (request.method !== 'POST') {
    response.writeHead(isConnected && !isLeaving ? 200 : 503).end(`${instance}\n`);
    return;
  }
  let body = '';
  request.setEncoding('latin1').on('data', (text: string) => {
    body += text;
  });
  request.on('end', () => {
    const id = String(request.headers['x-request-id'] ?? '');
    if (id === '' || body !== id) {
      response.writeHead(400).end(`${JSON.stringify(body)} is not ${id}\n`);
      return;
    }
    const finish = () => writeDown(id, () => response.end(`${id} ${instance}\n`));
    const delayMs = Number(url.searchParams.get('delay') ?? 0);
    if (delayMs > 0) setTimeout(finish, delayMs);
    else finish();
  });
});

/** Text frames of at most 125 bytes, masked, as a client sends them: enough for an echo (RFC 6455 §5.2). */
server.on('upgrade', (request, socket) => {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash('sha1').update(key).digest('base64');
  const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  socket.write(`${[...head, `Sec-WebSocket-Accept: ${accept}`].join('\r\n')}\r\n\r\n`);
  let bytes = Buffer.alloc(0);
  const goodbye = () => socket.end(Buffer.from([0x88, 2, 0x03, 0xe9])); // 1001: going away
  goodbyes.add(goodbye);
  socket.on('close', () => goodbyes.delete(goodbye));
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (;;) {
      const length = (bytes[1] ?? 0) & 0x7f;
      if (bytes.length < 6 + length) return;
      const mask = bytes.subarray(2, 6);
      const text = Buffer.from(bytes.subarray(6, 6 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
      const isClose = ((bytes[0] ?? 0) & 0x0f) === 8;
      bytes = bytes.subarray(6 + length);
      if (isClose) return void socket.end(Buffer.from([0x88, 0]));
      socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]));
    }
  });
});

process.on('SIGTERM', () => {
  if (process.env.ON_TERM === 'die') process.exit(143);
  isLeaving = true;
  setTimeout(
    () => {
      server.close(() => process.exit(0));
      for (const goodbye of goodbyes) goodbye();
    },
    Number(process.env.GOODBYE_MS || 0),
  );
});
server.listen(Number(process.env.PORT || 8080), () => console.log(`${instance} listens`));
