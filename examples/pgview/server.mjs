// Asks Postgres something slow, and remembers the answer in the memcached that runs in the same pod.
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { hostname } from 'node:os';

const { POSTGRES_SERVICE_HOST = 'postgres', SLOW_SECONDS = '10' } = process.env;
process.env.DB_HOST = POSTGRES_SERVICE_HOST;
const { query } = await import('./pg.mjs');

const version = '1.0';
const rememberSeconds = 600;

createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://pgview');
  if (pathname === '/healthz') return response.end('ok\n');
  if (pathname === '/version') return response.end(`${version} ${hostname()}\n`);
  const startMs = Date.now();
  try {
    const known = await memcached('get visits\r\n', /END\r\n$/);
    const fromCache = /^VALUE visits \d+ \d+\r\n(.*)\r\n/.exec(known)?.[1];
    const visits = fromCache ?? (await countVisits());
    if (fromCache === undefined)
      await memcached(`set visits 0 ${rememberSeconds} ${visits.length}\r\n${visits}\r\n`, /\r\n$/);
    const seconds = ((Date.now() - startMs) / 1000).toFixed(1);
    response.end(`visits ${visits}, from ${fromCache === undefined ? 'postgres' : 'memcached'} in ${seconds} s\n`);
  } catch (error) {
    response.writeHead(503).end(`${error.message}\n`);
  }
}).listen(8080);

/** Slow, so that it can be seen who answers. */
async function countVisits() {
  await query('create table if not exists visits (at timestamptz default now())');
  await query('insert into visits default values');
  const [[count]] = await query(`select count(*) from visits, (select pg_sleep(${Number(SLOW_SECONDS)})) as slow`);
  return count;
}

function memcached(command, end) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: 11211 });
    let answer = '';
    socket.setTimeout(2000, () => socket.destroy(new Error('memcached does not answer')));
    socket.on('error', reject);
    socket.on('connect', () => socket.write(command));
    socket.on('data', (chunk) => {
      answer += chunk;
      if (!end.test(answer)) return;
      socket.destroy();
      resolve(answer);
    });
  });
}

process.on('SIGTERM', () => process.exit(0));
