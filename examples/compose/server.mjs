// Notes kept in PostgreSQL: GET /notes lists them as JSON, POST /notes adds the body as one.
import { createServer } from 'node:http';
import { query } from './postgres.mjs';

const server = createServer(async (request, response) => {
  try {
    if (request.url !== '/notes') return void response.writeHead(404).end('not found\n');
    if (request.method === 'POST') {
      let body = '';
      for await (const chunk of request) body += chunk;
      await query('insert into notes (body) values ($1)', body.slice(0, 1000));
      return void response.writeHead(201).end();
    }
    const rows = await query('select body from notes order by id');
    response.setHeader('content-type', 'application/json');
    response.end(`${JSON.stringify(rows.map(([body]) => body))}\n`);
  } catch (error) {
    console.error(error.message);
    response.writeHead(503).end(`${error.message}\n`);
  }
});

await query('create table if not exists notes (id serial primary key, body text not null)');
server.listen(3000, () => console.log('notes listen on port 3000'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
