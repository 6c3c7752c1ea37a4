// A guestbook: entries and a counter in redis, and the name of the instance that answered. No dependencies.
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { hostname } from 'node:os';

const host = process.env.REDIS_HOST ?? 'redis';

/** One command a connection (RESP, https://redis.io/docs/reference/protocol-spec): simple, and follows the name wherever it goes. */
function redis(...words) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: 6379 });
    let text = '';
    socket.setTimeout(2000, () => socket.destroy(new Error(`no answer from ${host}`)));
    socket.on('error', reject);
    socket.on('connect', () =>
      socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`),
    );
    socket.on('data', (chunk) => {
      text += chunk;
      const parsed = parse(text, 0);
      if (!parsed) return;
      socket.end();
      if (parsed.value instanceof Error) reject(parsed.value);
      else resolve(parsed.value);
    });
  });
}

/** The value that begins at `at`, or nothing while it is not whole. */
function parse(text, at) {
  const end = text.indexOf('\r\n', at);
  if (end < 0) return undefined;
  const head = text.slice(at + 1, end);
  const next = end + 2;
  switch (text[at]) {
    case '+':
      return { value: head, next };
    case '-':
      return { value: new Error(head), next };
    case ':':
      return { value: Number(head), next };
    case '$': {
      if (head === '-1') return { value: null, next };
      const bytes = Buffer.from(text.slice(next));
      if (bytes.length < Number(head) + 2) return undefined;
      const value = bytes.subarray(0, Number(head)).toString();
      return { value, next: next + value.length + 2 };
    }
    default: {
      const value = [];
      let position = next;
      for (let count = 0; count < Number(head); count++) {
        const one = parse(text, position);
        if (!one) return undefined;
        value.push(one.value);
        position = one.next;
      }
      return { value, next: position };
    }
  }
}

const escapeHtml = (text) => text.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);

async function page() {
  const visits = await redis('INCR', 'visits');
  const entries = await redis('LRANGE', 'entries', '0', '19');
  return `<!doctype html><meta charset="utf-8"><title>Guestbook</title>
<h1>Guestbook</h1>
<p>Visit ${visits}, answered by ${hostname()}</p>
<form method="post"><input name="entry" maxlength="200" autofocus> <button>Sign</button></form>
<ul>${entries.map((entry) => `<li>${escapeHtml(entry)}</li>`).join('')}</ul>
`;
}

const server = createServer(async (request, response) => {
  try {
    if (request.url === '/healthz') {
      await redis('PING');
      return response.end('ok\n');
    }
    if (request.method === 'POST') {
      let body = '';
      for await (const chunk of request) body += chunk;
      const entry = new URLSearchParams(body).get('entry')?.trim().slice(0, 200);
      if (entry) await redis('LPUSH', 'entries', entry);
      return response.writeHead(303, { location: '/' }).end();
    }
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(await page());
  } catch (error) {
    response.writeHead(503).end(`${error.message}\n`);
  }
});
server.listen(3000, () => console.log(`${hostname()} listens on 3000, redis is ${host}`));
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
