// Notes in Postgres: GET / lists them, POST / with a body adds one.
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { query } from './pg.mjs';

const server = createServer(async (request, response) => {
  try {
    await query('CREATE TABLE IF NOT EXISTS notes (id serial PRIMARY KEY, text text NOT NULL)');
    if (request.method === 'POST') {
      let text = '';
      for await (const chunk of request) text += chunk;
      await query(`INSERT INTO notes (text) VALUES ('${text.replaceAll("'", "''")}')`);
      return response.writeHead(201).end('noted\n');
    }
    const rows = await query('SELECT id, text FROM notes ORDER BY id');
    response.end(
      `${rows.length} notes, told by ${hostname()}\n${rows.map(([id, text]) => `${id}: ${text}\n`).join('')}`,
    );
  } catch (error) {
    response.writeHead(503).end(`${error.message}\n`);
  }
});
server.listen(3000, () => console.log('listening on 3000'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
