// A guestbook: GET / shows the entries, who answered, and how often anybody looked; POST / adds an entry.
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { redis } from './redis.mjs';

const instance = hostname();
const maxBodyBytes = 10_000;

const server = createServer(async (request, response) => {
  try {
    if (request.url === '/up') return void response.end('up\n');
    if (request.url !== '/') return void response.writeHead(404).end('not found\n');
    if (request.method === 'POST') {
      const entry = new URLSearchParams(await bodyOf(request)).get('entry')?.trim().slice(0, 200);
      if (entry) await redis('LPUSH', 'entries', entry);
      return void response.writeHead(303, { location: '/' }).end();
    }
    const visits = await redis('INCR', 'visits');
    const entries = await redis('LRANGE', 'entries', '0', '19');
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.setHeader('x-instance', instance);
    response.end(page({ visits, entries }));
  } catch (error) {
    console.error(error.message);
    response.writeHead(503).end(`${error.message}\n`);
  }
});
server.listen(3000, () => console.log(`guestbook ${instance} listens on port 3000`));
process.on('SIGTERM', () => server.close(() => process.exit(0)));

async function bodyOf(request) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > maxBodyBytes) throw new Error('too long an entry');
  }
  return body;
}

function page({ visits, entries }) {
  return `<!doctype html>
<title>Guestbook</title>
<h1>Guestbook</h1>
<p>Visit <b id="visits">${visits}</b>, answered by instance <b id="instance">${instance}</b>.</p>
<form method="post"><input name="entry" maxlength="200" placeholder="Say something" required> <button>Add</button></form>
<ul>${entries.map((entry) => `<li>${escaped(entry)}</li>`).join('')}</ul>
`;
}

function escaped(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
}
